"""P is what the optimizer does: linear, symmetric, positive, and found wherever its state is."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import pinnkit
from pinnkit.preconditioners import UnknownPreconditionerError, preconditioner

MUON = {"beta": 0.0, "nesterov": False, "adam_b1": 0.0, "adam_weight_decay": 0.0}
# without momentum: optimizer, factor of the step (None: any), whether P is that after the step
STEPS = {
    "sgd": (optax.sgd(0.1), 0.1, True),
    "adam": (optax.adam(0.1, b1=0.0), 0.1, True),
    "rmsprop": (optax.rmsprop(0.1), 0.1, True),
    "soap": (
        pinnkit.soap(0.1, b1=0.0, weight_decay=0.0, precondition_frequency=4),
        None,
        True,
    ),
    "muon": (optax.contrib.muon(0.1, **MUON), 0.1, True),
    "lbfgs": (
        optax.chain(optax.scale_by_lbfgs(memory_size=3), optax.scale_by_learning_rate(0.1)),
        0.1,
        True,
    ),
    "self-scaled Broyden": (pinnkit.self_scaled_broyden(), None, False),
    "Gauss-Newton": (pinnkit.gauss_newton(factors=(1.0,)), 0.5, False),
}
UNREADY = {
    "adam": optax.adam(0.1),
    "soap": pinnkit.soap(0.1),
    "muon": optax.contrib.muon(0.1),
    "rmsprop": optax.rmsprop(0.1),
}


def model(dtype, points=20, seed=0):
    """Parameters with wide, tall and one-dimensional arrays, and residuals of them."""
    rng = np.random.default_rng(seed)
    x, y = (jnp.asarray(rng.normal(size=(points, n)), dtype) for n in (3, 2))
    params = {
        "b": jnp.asarray(rng.normal(size=4), dtype),
        "w": jnp.asarray(rng.normal(size=(3, 4)), dtype),
        "z": jnp.asarray(rng.normal(size=(4, 2)), dtype),
    }

    def residual(p):
        return (jnp.tanh(x @ p["w"] + p["b"]) @ p["z"] - y).ravel()

    return params, residual


def run(optimizer, params, residual, steps):
    """Take steps; return parameters, gradient and update of the last, states before and after."""

    def loss(p, **extra):
        return jnp.sum(residual(p) ** 2)

    optimizer = optax.with_extra_args_support(optimizer)

    @jax.jit
    def step(params, state):
        value, gradient = jax.value_and_grad(loss)(params)
        update, after = optimizer.update(
            gradient,
            state,
            params,
            value=value,
            grad=gradient,
            value_fn=loss,
            least_squares=pinnkit.SumOfSquares(residual),
        )
        return gradient, update, after

    state = optimizer.init(params)
    for i in range(steps):
        gradient, update, after = step(params, state)
        if i < steps - 1:
            params, state = optax.apply_updates(params, update), after
    return params, gradient, update, state, after


def flat(tree):
    return np.asarray(ravel_pytree(tree)[0])


def dense(apply, params):
    vector, unravel = ravel_pytree(params)
    columns = jax.jit(jax.vmap(lambda e: ravel_pytree(apply(unravel(e)))[0]))
    return np.asarray(columns(jnp.eye(vector.size, dtype=vector.dtype))).T


@pytest.mark.parametrize(
    ("name", "dtype"), [(n, "float64") for n in STEPS] + [("adam", "float32"), ("soap", "float32")]
)
def test_without_momentum_the_step_goes_along_the_preconditioned_gradient(name, dtype):
    """And P is a symmetric positive matrix, and of each gradient of a stack what it is of one."""
    optimizer, factor, is_after = STEPS[name]
    with jax.enable_x64(dtype == "float64"):
        params, residual = model(dtype)
        params, gradient, update, before, after = run(optimizer, params, residual, 7)
        squares = pinnkit.SumOfSquares(residual)
        apply = preconditioner(after if is_after else before, params, least_squares=squares)
        step, direction = flat(update), flat(jax.jit(apply)(gradient))
        matrix, gradient = dense(apply, params), flat(gradient)
    assert direction.dtype == dtype
    if factor is None:
        factor = np.linalg.norm(step) / np.linalg.norm(direction)
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    scale = np.abs(step).max()
    np.testing.assert_allclose(-factor * direction / scale, step / scale, atol=tolerance)
    scale = np.abs(direction).max()
    np.testing.assert_allclose(matrix @ gradient / scale, direction / scale, atol=tolerance)
    np.testing.assert_allclose(matrix, matrix.T, atol=tolerance * np.abs(matrix).max())
    if dtype == "float64":
        assert np.linalg.eigvalsh(matrix).min() > 0


@pytest.mark.parametrize("points", [5, 40])
def test_gauss_newton_in_the_smaller_space_is_the_inverse_of_its_matrix(points):
    with jax.enable_x64(True):
        params, residual = model("float64", points)
        squares = pinnkit.SumOfSquares(residual)
        state = pinnkit.gauss_newton(damping=1e-6).init(params)
        matrix = dense(preconditioner(state, params, least_squares=squares), params)
        jacobian = np.asarray(squares.jacobian(params)[1])
    assert (jacobian.shape[0] < jacobian.shape[1]) == (points == 5)
    normal = jacobian.T @ jacobian
    n = len(normal)
    expected = np.linalg.inv(normal + 1e-6 * np.trace(normal) / n * np.eye(n))
    np.testing.assert_allclose(matrix, expected, atol=1e-7 * np.abs(expected).max())


def test_adam_by_hand():
    params = jnp.asarray([1.0, 1.0])
    optimizer = optax.adam(0.1, b2=0.5)
    state = optimizer.init(params)
    for g in ([1.0, 2.0], [3.0, 0.0]):
        _, state = optimizer.update(jnp.asarray(g), state)
    # v = 0.5 (0.5 * 1 + 9) and 0.5 * 0.5 * 4, over 1 - 0.5^2
    expected = 1 / (np.sqrt([4.75 / 0.75, 1.0 / 0.75]) + 0.25)
    apply = preconditioner(state, b2=0.5, eps=0.25)
    np.testing.assert_allclose(apply(jnp.ones(2)), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda adam: optax.chain(optax.clip_by_global_norm(1e9), adam),
        lambda adam: optax.inject_hyperparams(lambda rate: optax.adam(rate))(rate=0.1),
        lambda adam: optax.named_chain(("first", optax.identity()), ("second", adam)),
        lambda adam: optax.apply_if_finite(adam, 3),
        lambda adam: optax.MultiSteps(adam, 1).gradient_transformation(),
        lambda adam: optax.partition({"a": adam}, {"w": "a", "b": "a", "z": "a"}),
        lambda adam: optax.adamw(0.1, weight_decay=0.0),
        lambda adam: optax.chain(adam, optax.contrib.reduce_on_plateau()),
        lambda adam: optax.contrib.schedule_free(adam, 0.1),
        lambda adam: optax.contrib.schedule_free_adamw(0.1),
    ],
    ids=lambda wrap: "",
)
def test_the_state_is_found_inside_others(wrap):
    params, _ = model("float32")
    v = jax.tree.map(lambda p: p**2, params)
    state = jax.tree.map(
        lambda s: s._replace(nu=v, count=jnp.array(3)) if hasattr(s, "nu") else s,
        wrap(optax.adam(0.1)).init(params),
        is_leaf=lambda s: hasattr(s, "nu"),
    )
    expected = flat(params) / (np.sqrt(flat(v) / (1 - 0.999**3)) + 1e-8)
    np.testing.assert_allclose(flat(preconditioner(state)(params)), expected, rtol=1e-4)


@pytest.mark.parametrize("mask", [{"b": False, "w": True, "z": True}, {"b": False, "w": True}])
def test_what_is_masked_is_left_alone_and_what_is_divided_is_put_together(mask):
    params, residual = model("float32")
    if len(mask) < 3:  # a mask may cover a whole branch by one entry
        params = {"b": {"b": params["b"], "z": params["z"]}, "w": params["w"]}
        plain = residual
        residual = lambda p: plain(p["b"] | {"w": p["w"]})  # noqa: E731
    soap = pinnkit.soap(1e-2, weight_decay=0.0)
    rest = optax.masked(optax.scale(-1e-2), {name: not covered for name, covered in mask.items()})
    optimizer = optax.chain(optax.masked(soap, mask), rest)
    _, gradient, _, _, state = run(optimizer, params, residual, 4)
    direction = preconditioner(state)(gradient)
    np.testing.assert_array_equal(flat(direction["b"]), flat(gradient["b"]))
    assert not np.allclose(direction["w"], gradient["w"], rtol=0.1)
    if len(mask) == 3:
        labels = {"b": "adam", "w": "soap", "z": "soap"}
        both = optax.partition({"adam": optax.adam(1e-2), "soap": soap}, labels)
        _, gradient, _, _, state = run(both, params, residual, 4)
        direction = preconditioner(state)(gradient)
        v = state.inner_states["adam"].inner_state[0].nu["b"] / (1 - 0.999**4)
        np.testing.assert_allclose(direction["b"], gradient["b"] / (jnp.sqrt(v) + 1e-8), rtol=1e-3)
        assert not np.allclose(direction["w"], gradient["w"], rtol=0.1)


@pytest.mark.parametrize("name", UNREADY)
def test_before_there_is_anything_to_precondition_with(name):
    params, _ = model("float32")
    optimizer = UNREADY[name]
    state = optimizer.init(params)
    states = [state]
    if name == "soap":
        states.append(optimizer.update(params, state, params)[1])
    for state in states:
        with pytest.raises(ValueError, match="take a step first"):
            preconditioner(state)
        inside = jax.jit(lambda s: preconditioner(s)(params))(state)
        assert np.isnan(flat(inside)).all()


@pytest.mark.parametrize("optimizer", [optax.lbfgs(), pinnkit.self_scaled_broyden()])
def test_quasi_newton_starts_with_the_identity(optimizer):
    params, _ = model("float32")
    np.testing.assert_array_equal(
        flat(preconditioner(optimizer.init(params))(params)), flat(params)
    )


def test_what_has_no_single_known_preconditioner_is_refused():
    params, _ = model("float32")
    for optimizer, message in (
        (optax.lion(0.1), "no linear preconditioner is known .* ScaleByLionState"),
        (optax.chain(optax.scale_by_adam(), optax.scale_by_rms()), "more than one"),
        (optax.chain(pinnkit.soap(0.1), optax.masked(optax.adam(0.1), True)), "more than one"),
    ):
        with pytest.raises(UnknownPreconditionerError, match=message):
            jax.eval_shape(lambda s: preconditioner(s)(params), optimizer.init(params))
    with pytest.raises(ValueError, match="needs the parameters and the residuals"):
        preconditioner(pinnkit.gauss_newton().init(params), params)
