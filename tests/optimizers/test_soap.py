"""SOAP against its definition, its closed forms, its symmetries, and optax's own machinery."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import serialization

from pinnkit.optimizers import precondition, scale_by_soap, soap, soap_state

BETAS = {"b1": 0.9, "b2": 0.99}
COARSER = {"float32": 2.0**29, "float64": 1.0}  # tolerances are those of float64 times this
both_precisions = pytest.mark.parametrize("dtype", COARSER)
FAST_TO_COMPILE = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
}


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def normal(seed, *shape, dtype="float64"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def deviation(actual, expected):
    apart = jax.tree.map(lambda a, e: np.max(np.abs(np.asarray(a) - e)), actual, expected)
    return max(jax.tree.leaves(apart))


def at(tree, k):
    return jax.tree.map(lambda x: x[k], tree)


def orthogonality(bases):
    return deviation(np.swapaxes(bases, 1, 2) @ bases, 0 * bases + np.eye(bases.shape[1]))


def identical(actual, expected):
    same = jax.tree.map(lambda a, e: np.array_equal(a, e) and a.dtype == e.dtype, actual, expected)
    return all(jax.tree.leaves(same))


@functools.partial(jax.jit, static_argnums=0, compiler_options=FAST_TO_COMPILE)
def run(optimizer, gradients, params=None):
    """The updates of every call and the states after it, stacked along a first axis."""
    if params is None:
        params = jax.tree.map(lambda g: jnp.zeros_like(g[0]), gradients)

    def step(carry, gradient):
        params, state = carry
        updates, state = optimizer.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), (updates, state)

    return jax.lax.scan(step, (params, optimizer.init(params)), gradients)[1]


def rotate(array, bases, back=False):
    for axis, q in bases.items():
        array = np.moveaxis(np.tensordot(array, q, (axis, int(back))), -1, axis)
    return array


def definition(gradients, w, axes, lr, b1, b2, bs, wd, frequency, normalize, eps=1e-8):
    """The weights after every call; the average gradient m is kept in the original axes."""
    factors = {i: np.zeros((w.shape[i], w.shape[i])) for i in axes}
    m, v, bases, path = np.zeros_like(w), np.zeros_like(w), {}, []
    for t, g in enumerate(gradients):
        if t:
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * rotate(g, bases) ** 2
            n = rotate(rotate(m, bases) / (np.sqrt(v) + eps), bases, back=True)
            if normalize:
                n = n / (1e-30 + np.sqrt(np.mean(n**2)))
            w = w - lr * np.sqrt(1 - b2**t) / (1 - b1**t) * n
            w = w - lr * wd * w
        for i in axes:
            rows = np.moveaxis(g, i, 0).reshape(g.shape[i], -1)
            factors[i] = bs * factors[i] + (1 - bs) * rows @ rows.T
            if t == 0:
                bases[i] = np.linalg.eigh(factors[i] + 1e-30 * np.eye(len(rows)))[1][:, ::-1]
            elif t % frequency == 0:
                order = np.argsort(-np.diag(bases[i].T @ factors[i] @ bases[i]))
                v = np.take(v, order, axis=i)
                bases[i] = np.linalg.qr(factors[i] @ bases[i][:, order])[0]
        path.append(w)
    return np.array(path)


SHAPES = {(2,): [], (4, 4): [0, 1], (4, 7): [0], (2, 7, 4): [0, 2]}
ONE_SIDED = {(4, 4): [0], (7, 4): [1], (4, 2, 4): [1]}


@pytest.mark.parametrize(
    ("frequency", "normalize", "vectors", "shapes"),
    [
        (1, False, False, SHAPES),
        (3, True, True, SHAPES | {(2,): [0]}),
        (2, False, False, ONE_SIDED),
    ],
)
def test_weights_follow_the_definition(frequency, normalize, vectors, shapes):
    """All arrays are treated together, stacked by size; the definition takes each alone."""
    gradients = [normal(i, 25, *shape) for i, shape in enumerate(shapes)]
    params = [normal(9 + i, *shape) for i, shape in enumerate(shapes)]
    options = {"b1": 0.9, "b2": 0.99, "shampoo_beta": 0.8, "weight_decay": 0.5}
    options |= {"precondition_frequency": frequency, "normalize": normalize}
    which = {"max_precond_dim": 4, "precondition_1d": vectors, "one_sided": shapes is ONE_SIDED}
    updates, _ = run(soap(0.1, **options, **which), gradients, params)
    for g, w, u in zip(gradients, params, updates, strict=True):
        expected = definition(g, w, shapes[w.shape], 0.1, *options.values())
        assert deviation(w + np.cumsum(u, axis=0), expected) < 5e-14, w.shape


@pytest.mark.parametrize(
    ("shape", "options", "expected"),
    [
        ((3, 5), {}, {0, 1}),
        ((3, 5), {"max_precond_dim": 4}, {0}),
        ((3, 5), {"max_precond_dim": (4, 1)}, {0}),
        ((3, 5), {"max_precond_dim": (1, 5)}, {1}),
        ((3, 5), {"max_precond_dim": (1, 5), "one_sided": True}, {1}),
        ((3, 5), {"one_sided": True}, {0}),
        ((5, 3), {"one_sided": True}, {1}),
        ((4, 4), {"one_sided": True}, {0}),
        ((5, 3, 3), {"one_sided": True}, {1}),
        ((5, 3), {"one_sided": True, "max_precond_dim": 2}, set()),
        ((3,), {"max_precond_dim": (4, 4)}, set()),
        ((3,), {"max_precond_dim": (4, 1), "precondition_1d": True}, {0}),
        ((), {"max_precond_dim": (), "precondition_1d": True}, set()),
    ],
)
def test_which_axes_get_a_basis(shape, options, expected):
    state = jax.eval_shape(scale_by_soap(**options).init, jnp.zeros(shape))
    for matrices in (state.bases, state.factors):
        assert {i: m.shape for i, m in enumerate(matrices) if m is not None} == {
            i: 2 * (shape[i],) for i in expected
        }


def test_a_limit_is_missed_for_an_axis_that_has_none():
    with pytest.raises(
        ValueError, match=r"an entry for every axis, got \(4, 4\) and .* \(2, 3, 4\)"
    ):
        scale_by_soap(max_precond_dim=(4, 4)).init([jnp.ones(3), jnp.ones((2, 3, 4))])


def primitives(jaxpr):
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for value in jax.tree.leaves(equation.params, is_leaf=lambda x: hasattr(x, "eqns")):
            if hasattr(value, "eqns"):
                yield from primitives(value)


def test_layers_of_one_size_and_dtype_share_one_factorization():
    params = {f"{k}": jnp.ones((4, 4)) for k in range(5)} | {"in": jnp.ones((2, 4))}
    params |= {"single": jnp.ones((4, 4), "float32"), "bias": jnp.ones(4)}
    optimizer = scale_by_soap()
    state = jax.eval_shape(optimizer.init, params)
    names = list(primitives(jax.make_jaxpr(optimizer.update)(params, state)))
    assert names.count("qr") == names.count("eigh") == 3  # 4, 2 in float64, 4 in float32


def adam(gradients, b1, b2, eps=1e-8):
    """Adam's updates at rate one, one call late, with eps added to the uncorrected root."""
    m = v = np.zeros_like(gradients[0])
    updates = [m]
    for t, g in enumerate(gradients[1:], 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        updates.append(-np.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + eps))
    return np.array(updates)


@both_precisions
@pytest.mark.parametrize("scale", [1.0, 1e-7])
def test_without_bases_it_is_adam_one_call_late(scale, dtype):
    gradients = {k: scale * normal(k, 20, *(3, 4, 2)[:k], dtype=dtype) for k in range(4)}
    updates, state = run(soap(1.0, weight_decay=0, max_precond_dim=1, **BETAS), gradients)
    assert not jax.tree.leaves((soap_state(state).bases, soap_state(state).factors))
    expected = {k: adam(np.float64(g), **BETAS) for k, g in gradients.items()}
    assert deviation(updates, expected) < 1e-14 * COARSER[dtype]


@pytest.mark.parametrize("frequency", [1, 3])
@pytest.mark.parametrize(
    ("dtype", "eps", "aside"), [("float64", 1e-8, 1e-6), ("float32", 1e-3, 5e-3)]
)
def test_diagonal_gradients_that_change_places_give_adam(dtype, eps, aside, frequency):
    """What appears aside of the diagonal is rounding, divided by eps."""
    sizes = np.repeat([[3.0, 1.0, 2.0], [0.5, 4.0, 1.0], [5.0, 0.2, 2.0]], 8, axis=0)
    sizes *= 1 + 0.1 * normal(2, 24, 3)
    options = {"precondition_frequency": frequency, "shampoo_beta": 0.5, "eps": eps}
    updates, _ = run(
        soap(1.0, weight_decay=0, **options), (sizes[:, :, None] * np.eye(3)).astype(dtype)
    )
    diagonal = np.diagonal(updates, axis1=1, axis2=2)
    assert deviation(diagonal, adam(sizes, 0.95, 0.95, eps)) < 2e-14 * COARSER[dtype]
    assert deviation(updates, diagonal[:, :, None] * np.eye(3)) < aside


@both_precisions
def test_orthogonal_changes_of_axes_turn_the_updates_of_square_weights(dtype):
    (a, b), _ = np.linalg.qr(normal(0, 2, 5, 5))
    gradients, params = normal(2, 20, 5, 5), normal(3, 5, 5)
    optimizer = soap(1.0, weight_decay=0.5, precondition_frequency=2, **BETAS)
    updates, _ = run(optimizer, gradients.astype(dtype), params.astype(dtype))
    turned, _ = run(optimizer, (a @ gradients @ b).astype(dtype), (a @ params @ b).astype(dtype))
    assert deviation(turned, a @ updates @ b) < 5e-14 * COARSER[dtype]


@both_precisions
def test_gradients_and_eps_scaled_together_give_the_same_updates(dtype):
    gradients = normal(4, 20, 4, 4, dtype=dtype)
    one, _ = run(soap(1.0, eps=1e-8, weight_decay=0), gradients)
    other, _ = run(soap(1.0, eps=1e-5, weight_decay=0), np.asarray(1e3, dtype) * gradients)
    assert deviation(one, other) < 2e-14 * COARSER[dtype]


@pytest.mark.parametrize(
    ("dtype", "eps", "tolerance"), [("float64", 1e-8, 5e-7), ("float32", 1e-4, 0.03)]
)
def test_a_constant_gradient_moves_along_its_polar_factor_from_the_second_call(
    dtype, eps, tolerance
):
    """eps must exceed the rounding of the gradient, which is scaled to steps of length lr else."""
    gradients = {shape: normal(5, *shape) for shape in [(4, 4), (2, 4), (4,)]}
    constant = {k: np.repeat(g[None], 15, axis=0).astype(dtype) for k, g in gradients.items()}
    options = {"b1": 0.9, "eps": eps, "precondition_frequency": 3, "precondition_1d": True}
    updates, _ = run(soap(1.0, weight_decay=0, **options), constant)
    for shape, g in gradients.items():
        u, _, vt = np.linalg.svd(np.atleast_2d(g), full_matrices=False)
        assert not updates[shape][0].any()
        expected = np.stack(14 * [-(u @ vt).reshape(shape)])
        assert deviation(updates[shape][1:], expected) < tolerance


@both_precisions
def test_the_first_call_only_builds_the_basis(dtype):
    g, params = normal(6, 4, 4, dtype=dtype), normal(7, 4, 4, dtype=dtype)
    updates, state = at(run(soap(0.1, weight_decay=0.5, **BETAS), g[None], params), 0)
    state = soap_state(state)
    assert not any(np.any(x) for x in (updates, state.momentum, state.second_moment))
    for gram, factor, q in zip((g @ g.T, g.T @ g), state.factors, state.bases, strict=True):
        assert deviation(factor, 0.01 * gram) < 1e-15 * COARSER[dtype]
        values = np.linalg.eigvalsh(factor)[::-1]
        assert deviation(q.T @ factor @ q, np.diag(values)) < 1e-14 * COARSER[dtype]


def test_weight_decay_starts_at_the_second_call():
    params = normal(8, 3, 3)
    updates, _ = run(soap(0.1, weight_decay=0.5), np.zeros((6, 3, 3)), params)
    shrunk = params * 0.95 ** np.arange(6)[:, None, None]
    assert not updates[0].any()
    assert deviation(params + np.cumsum(updates, axis=0), shrunk) < 2e-15


@both_precisions
def test_the_second_moment_moves_at_every_call_between_two_turns_of_the_basis(dtype):
    gradients = normal(9, 12, 4, 4, dtype=dtype)
    _, state = run(scale_by_soap(b2=0.9, precondition_frequency=4), gradients)
    left, right = (np.asarray(q) for q in state.bases)
    v = np.asarray(state.second_moment)
    for k in set(range(1, 12)) - {4, 8}:
        assert np.all(v[k] != v[k - 1]) and identical(left[k], left[k - 1])
        projected = left[k].T @ gradients[k] @ right[k]
        expected = 0.9 * v[k - 1] + 0.1 * projected**2
        assert deviation(v[k], expected) < 4e-15 * COARSER[dtype]


@both_precisions
def test_momentum_and_factors_are_averages_that_no_turn_of_the_basis_disturbs(dtype):
    gradients = normal(10, 30, 4, 4, dtype=dtype)
    _, state = run(scale_by_soap(shampoo_beta=0.7, precondition_frequency=1, **BETAS), gradients)
    mean, (left, right) = np.zeros((4, 4)), np.zeros((2, 4, 4))
    for k, g in enumerate(gradients):
        mean = 0.9 * mean + 0.1 * g if k else mean
        left, right = 0.7 * left + 0.3 * g @ g.T, 0.7 * right + 0.3 * g.T @ g
        p, q = (np.asarray(basis[k]) for basis in state.bases)
        assert deviation(p @ state.momentum[k] @ q.T, mean) < 5e-15 * COARSER[dtype]
        factors = [factor[k] for factor in state.factors]
        assert deviation(factors, [left, right]) < 2e-14 * COARSER[dtype]


@both_precisions
def test_bases_stay_orthogonal_to_full_precision(dtype):
    _, state = run(scale_by_soap(precondition_frequency=1), normal(11, 60, 4, 3, dtype=dtype))
    assert all(orthogonality(q) < 1e-14 * COARSER[dtype] for q in state.bases)


def test_a_schedule_counts_calls():
    gradients = normal(12, 8, 3, 3)
    plain, _ = run(soap(1.0, weight_decay=0), gradients)
    decayed, _ = run(soap(lambda count: 0.5**count, weight_decay=0), gradients)
    assert deviation(decayed, plain * 0.5 ** np.arange(8)[:, None, None]) < 1e-15


TREE = {"w": (3, 2), "b": (2,)}


def example(seed=13, calls=10):
    """Gradients of a few calls and parameters."""
    arrays = {k: jnp.asarray(normal(seed, calls + 1, *shape)) for k, shape in TREE.items()}
    return jax.tree.map(lambda x: x[1:], arrays), at(arrays, 0)


OPTIMIZER = soap(0.1, precondition_frequency=2)
FREQUENT = soap(0.1, precondition_frequency=1, weight_decay=0)


def test_compiled_and_eager_updates_agree():
    gradients, params = normal(13, 2, 3, 3), normal(14, 3, 3)
    updates, states = run(FREQUENT, gradients, params)
    state = FREQUENT.init(params)
    for k in range(2):
        eager, state = FREQUENT.update(at(gradients, k), state, params)
        params = optax.apply_updates(params, eager)
        assert deviation((eager, state), at((updates, states), k)) < 5e-15


@both_precisions
def test_state_and_updates_keep_structure_and_dtype(dtype):
    params = {k: jnp.ones(shape, dtype) for k, shape in TREE.items()}
    state = jax.eval_shape(OPTIMIZER.init, params)
    updates, new = jax.eval_shape(OPTIMIZER.update, params, state, params)
    assert new == state and updates == jax.eval_shape(lambda: params)
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(state)} == {dtype, "int32"}


def test_every_product_is_taken_at_full_precision():
    _, params = example()
    text = str(jax.make_jaxpr(OPTIMIZER.update)(params, OPTIMIZER.init(params), params))
    assert text.count("Precision.HIGHEST") == 2 * text.count("dot_general[") > 0


def test_a_restored_state_goes_on_bit_for_bit():
    gradients, params = example()
    update = jax.jit(OPTIMIZER.update)

    def proceed(state, calls):
        for k in calls:
            updates, state = update(at(gradients, k), state, params)
        return updates, state

    start = OPTIMIZER.init(params)
    for stop in (1, 2, 3):
        _, state = proceed(start, range(stop))
        restored = serialization.from_bytes(start, serialization.to_bytes(state))
        assert identical(proceed(restored, range(stop, 8)), proceed(state, range(stop, 8)))


def test_seeds_under_vmap_run_as_they_do_alone():
    seeds = [example(seed) for seed in range(3)]
    gradients, params = jax.tree.map(lambda *leaves: jnp.stack(leaves), *seeds)
    together = jax.vmap(functools.partial(run, OPTIMIZER))(gradients, params)
    for i, seed in enumerate(seeds):
        assert deviation(at(together, i), run(OPTIMIZER, *seed)) < 5e-15


def test_it_composes_as_any_other_optax_transformation():
    gradients, params = example()
    alone, _ = run(OPTIMIZER, gradients, params)

    doubled = {k: 2 * g for k, g in gradients.items()}
    chained, _ = run(optax.chain(optax.scale(0.5), OPTIMIZER), doubled, params)
    assert identical(chained, alone)

    masked = optax.masked(OPTIMIZER, {"w": True, "b": True, "steps": False})
    steps = {"steps": jnp.zeros(10, int)}
    updates, _ = run(masked, gradients | steps, params | at(steps, 0))
    assert identical(updates, alone | steps)


def test_gradients_are_averaged_over_small_batches():
    """optax does so in float32 unless it is told otherwise."""
    gradients, params = example()
    alone, _ = run(OPTIMIZER, gradients, params)
    default = optax.MultiSteps(OPTIMIZER, 2).init(params)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(default.acc_grads)} == {"float32"}
    steps = optax.MultiSteps(OPTIMIZER, 2, accumulator_dtype=jnp.float64)
    halves = {k: jnp.repeat(g, 2, axis=0) for k, g in gradients.items()}
    accumulated, _ = run(steps.gradient_transformation(), halves, params)
    assert not any(u[0::2].any() for u in accumulated.values())
    assert deviation({k: u[1::2] for k, u in accumulated.items()}, alone) < 1e-15


def test_small_batches_in_float32_keep_their_dtype():
    params = {k: jnp.ones(shape, "float32") for k, shape in TREE.items()}
    steps = optax.MultiSteps(OPTIMIZER, 2)
    state = jax.eval_shape(steps.init, params)
    assert jax.eval_shape(steps.update, params, state, params) == (
        jax.eval_shape(lambda: params),
        state,
    )


def test_numbers_are_injected_without_static_arguments():
    gradients, params = example()
    options = {"learning_rate": lambda count: 0.1 * 0.5**count, "precondition_frequency": 2}
    alone, _ = run(soap(**options), gradients, params)
    inject = optax.inject_hyperparams(soap)
    injected = inject(**options)
    state, update = injected.init(params), jax.jit(injected.update)
    for k in range(4):
        updates, state = update(at(gradients, k), state, params)
        params = optax.apply_updates(params, updates)
        assert deviation(updates, at(alone, k)) < 1e-15
    assert np.isclose(state.hyperparams["learning_rate"], 0.1 * 0.5**3)

    within_jit = inject(**options, max_precond_dim=(9, 9)).init
    assert jax.eval_shape(within_jit, params).inner_state == jax.eval_shape(soap(0.1).init, params)


def test_a_gradient_that_is_not_finite_shows_in_the_update_and_in_all_averages():
    gradients = normal(14, 5, 3, 3)
    for first, bad in ((0, -np.inf), (2, np.nan), (2, np.inf)):
        gradients[first, 1, 2] = bad
        updates, state = run(FREQUENT, gradients)
        state = soap_state(state)
        for averages in (updates, state.momentum, state.second_moment, *state.factors):
            assert [bool(np.isfinite(x).all()) for x in averages] == [k < first for k in range(5)]
        assert all(orthogonality(q) < 1e-14 for q in state.bases)
        gradients = normal(14, 5, 3, 3)


def test_apply_if_finite_leaves_out_a_call():
    gradients, params = example(calls=5)
    optimizer = optax.apply_if_finite(OPTIMIZER, max_consecutive_errors=2)
    update = jax.jit(optimizer.update)
    state = clean = optimizer.init(params)
    for k in range(5):
        bad = jax.tree.map(lambda g: g.at[-1].set(jnp.nan), at(gradients, k))
        updates, after = update(bad, state, params)
        assert not any(np.any(u) for u in updates.values())
        assert identical(after.inner_state, state.inner_state)
        expected, clean = update(at(gradients, k), clean, params)
        updates, state = update(at(gradients, k), after, params)
        assert identical(updates, expected) and identical(state.inner_state, clean.inner_state)


@pytest.mark.parametrize("call", [0, 1])
def test_a_basis_that_overflows_is_not_taken(call):
    gradients = np.stack([np.diag([2.0, 1.0]), np.diag([1.0, 3.0])]).astype(np.float32)
    gradients[call] = 1.2e19 * np.asarray([[1, 1], [-1, -1]])
    _, state = run(scale_by_soap(shampoo_beta=0, precondition_frequency=1), gradients)
    before = np.eye(2, dtype=np.float32) if call == 0 else state.bases[0][0]
    assert np.isfinite(state.factors[0]).all() and state.factors[0][call].max() > 1e38
    assert identical(state.bases[0][call], before)


def test_precondition_is_the_linear_map_behind_the_step():
    gradients = normal(15, 7, 3, 4)
    updates, state = run(soap(0.1, weight_decay=0, precondition_frequency=4, **BETAS), gradients)
    state = at(state, -1)
    mean = sum(0.1 * 0.9 ** (6 - k) * gradients[k] for k in range(1, 7))
    rate = 0.1 * np.sqrt(1 - 0.99**6) / (1 - 0.9**6)
    assert deviation(updates[-1], -rate * precondition(state, mean)) < 1e-14

    g, h = normal(16, 2, 3, 4)
    p, q = precondition(state, g), jax.jit(precondition)(state, h)
    assert np.isclose(np.vdot(g, q), np.vdot(p, h), rtol=1e-13) and np.vdot(g, p) > 0
    assert deviation(precondition(state, g - 2 * h), p - 2 * q) < 1e-13


def test_the_state_of_soap_is_found_inside_other_states():
    gradients, params = example(calls=1)
    optimizer = optax.chain(optax.clip(1.0), soap(1e-3), optax.ema(0.9))
    state = optimizer.init(params)
    assert soap_state(state) is state[1][0]
    with pytest.raises(ValueError, match="before its second call: take a step first"):
        precondition(at(run(optimizer, gradients, params)[1], 0), params)
    with pytest.raises(ValueError, match="expected one SOAP state .* found 0"):
        soap_state(optax.adam(1e-3).init(params))
    with pytest.raises(ValueError, match="found 2"):
        soap_state((state, state))


UNIT, WHOLE = r"must lie in \[0, 1\), got", "must be an integer >= 1, got"
WRONG = [
    ("b1", 1.0, UNIT),
    ("b2", -0.1, UNIT),
    ("shampoo_beta", np.nan, UNIT),
    ("eps", -1e-8, "must be finite and >= 0, got"),
    ("eps", np.inf, "must be finite and >= 0, got"),
    ("weight_decay", -1, "must be >= 0, got"),
    ("precondition_frequency", 0, WHOLE),
    ("precondition_frequency", 2.0, WHOLE),
    ("max_precond_dim", True, WHOLE),
]


@pytest.mark.parametrize(("name", "value", "expected"), WRONG)
def test_wrong_options_are_named(name, value, expected):
    with pytest.raises(ValueError, match=f"^{name} {expected} {value!r}$"):
        soap(1e-3, **{name: value})


def test_whole_numbers_of_numpy_are_taken():
    soap(1e-3, precondition_frequency=np.int32(2), max_precond_dim=np.int64(8))


def test_a_wrong_limit_of_one_axis_is_named():
    with pytest.raises(ValueError, match="^max_precond_dim must be an integer >= 1, got 0$"):
        soap(1e-3, max_precond_dim=(4, 0))


@pytest.mark.parametrize("dtype", [int, complex, bool, "bfloat16", "float16"])
def test_arrays_of_other_types_are_named(dtype):
    good, bad = {"w": [jnp.ones((2, 2))]}, {"w": [jnp.ones((2, 2), dtype)]}
    message = rf"float32 or float64 {{}}, got {bad['w'][0].dtype} in {{}}\['w'\]\[0\]"
    with pytest.raises(TypeError, match=message.format(*2 * ["parameters"])):
        soap(1e-3).init(bad)
    with pytest.raises(TypeError, match=message.format(*2 * ["gradients"])):
        soap(1e-3).update(bad, soap(1e-3).init(good), good)


def test_weight_decay_without_parameters_is_an_error():
    g = jnp.ones(2)
    with pytest.raises(ValueError, match="needs the parameters.*or set weight_decay=0"):
        soap(1e-3).update(g, soap(1e-3).init(g))
    soap(1e-3, weight_decay=0).update(g, soap(1e-3).init(g))
