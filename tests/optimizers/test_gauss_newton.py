"""Steps against closed forms, the two forms of the step against each other, and failure."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from pinnkit.optimizers.gauss_newton import SumOfSquares, gauss_newton

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def rosenbrock(params):
    x, y = params["x"], params["y"]
    return jnp.stack([1 - x, 10 * (y - x**2)])


def run(residual, params, optimizer, steps):
    problem = SumOfSquares(residual)

    @jax.jit
    def step(params, state):
        updates, state = optimizer.update(params, state, params, least_squares=problem)
        return optax.apply_updates(params, updates), state

    state = optimizer.init(params)
    for _ in range(steps):
        params, state = step(params, state)
    return params, state


@pytest.mark.parametrize("shape", [(8, 3), (3, 8)])
def test_a_linear_problem_is_solved_by_one_undamped_step(shape):
    a, b = jnp.asarray(RNG.normal(size=shape)), jnp.asarray(RNG.normal(size=shape[0]))
    optimizer = gauss_newton(damping=1e-12, factors=(1.0,))
    w, _ = run(lambda w: a @ w - b, jnp.zeros(shape[1]), optimizer, 1)
    np.testing.assert_allclose(w, np.linalg.lstsq(a, b)[0], atol=1e-9)


@pytest.mark.parametrize("n", [4, 9])
def test_both_spaces_give_the_damped_step(n):
    a, b = RNG.normal(size=(n, 6)), RNG.normal(size=n)
    for space in ("parameters", "residuals", "auto"):
        optimizer = gauss_newton(damping=0.3, factors=(1.0,), space=space)
        w, state = run(lambda w: jnp.asarray(a) @ w - b, jnp.zeros(6), optimizer, 1)
        np.testing.assert_allclose(w, damped_step(a, b), atol=1e-12)
        assert state.accepted and np.isclose(state.damping, 0.3)


@pytest.mark.parametrize("n", [4, 9])
def test_the_matrix_free_step_is_the_same(n):
    """With orthogonal rows the estimate of the trace, and so mu, is exact."""
    rotation = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    a, b = np.eye(n, 6) * np.arange(1, 7) @ rotation, RNG.normal(size=n)
    optimizer = gauss_newton(damping=0.3, factors=(1.0,), space="matrix_free", tolerance=1e-13)
    w, _ = run(lambda w: jnp.asarray(a) @ w - b, jnp.zeros(6), optimizer, 1)
    np.testing.assert_allclose(w, damped_step(a, b), atol=1e-12)


@pytest.mark.parametrize(
    ("n", "max_bytes", "called"),
    [
        (9, 8 * 6 * 6, "normal"),
        (4, 8 * 4 * 4, "kernel"),
        (9, 8 * 6 * 6 - 1, "products"),
        (4, 8 * 4 * 4 - 1, "products"),
    ],
)
def test_auto_keeps_to_the_bound_on_memory(n, max_bytes, called, monkeypatch):
    a, b = jnp.asarray(RNG.normal(size=(n, 6))), jnp.asarray(RNG.normal(size=n))
    calls = []
    for method in ("normal", "kernel", "products"):
        original = getattr(SumOfSquares, method)
        monkeypatch.setattr(
            SumOfSquares,
            method,
            lambda self, p, m=method, f=original: calls.append(m) or f(self, p),
        )
    w, state = run(lambda w: a @ w - b, jnp.zeros(6), gauss_newton(max_bytes=max_bytes), 1)
    assert calls[0] == called
    assert state.accepted and jnp.sum((a @ w - b) ** 2) < b @ b


def damped_step(a, b):
    """Of |a w - b|^2 at w = 0 and the relative damping 0.3."""
    gram = a.T @ a
    shift = 0.3 * np.trace(gram) / len(gram)
    return np.linalg.solve(gram + shift * np.eye(len(gram)), a.T @ b)


def test_rosenbrock_is_solved_in_few_steps():
    start = {"x": jnp.asarray(-1.2), "y": jnp.asarray(1.0)}
    end, _ = run(rosenbrock, start, gauss_newton(), 25)
    np.testing.assert_allclose([end["x"], end["y"]], 1, atol=1e-8)


def test_of_several_dampings_the_best_is_taken():
    """On a line all steps point the same way, and less damping goes further."""
    optimizer = gauss_newton(damping=1.0, factors=(0.01, 1.0, 100.0))
    w, state = run(lambda w: w - 1.0, jnp.zeros(1), optimizer, 1)
    assert np.isclose(state.damping, 0.01) and np.isclose(w[0], 1 / 1.01)


def test_a_damping_that_leads_to_no_number_leaves_the_others():
    """From 0 towards 1: hardly damped to 0.99, where there is nothing, or damped to 0.5."""
    optimizer = gauss_newton(damping=1.0, factors=(0.01, 1.0))
    w, state = run(lambda w: jnp.where(w < 0.9, w - 1.0, jnp.nan), jnp.zeros(1), optimizer, 1)
    assert state.accepted and state.damping == 1 and np.isclose(w[0], 0.5)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_the_damping_has_a_floor_by_precision(dtype):
    optimizer = gauss_newton(damping=1e-20)
    _, state = run(lambda w: w - 1, jnp.zeros(2, dtype), optimizer, 1)
    assert state.damping == 50 * np.finfo(dtype).eps


def test_a_step_that_would_not_help_is_not_taken():
    """Every step from w = 1 overshoots into a region that is worse, or not finite."""

    def cliff(w):
        return jnp.where(w > 0.999, w, jnp.where(w > 0.5, 10.0, jnp.nan))

    w, state = run(cliff, jnp.ones(1), gauss_newton(damping=1e-2), 1)
    assert w[0] == 1 and not state.accepted
    assert np.isclose(state.damping, 10 * 3 * 1e-2)


@pytest.mark.parametrize("space", ["parameters", "residuals", "matrix_free"])
def test_a_jacobian_that_is_not_finite_leads_to_no_step(space):
    """At w = 0 the derivative of |w|^(1/2) is not a number; the residual itself is finite."""

    def residual(w):
        return jnp.stack([jnp.sqrt(jnp.abs(w[0])) + w[1] - 1, w[1] + 1, w[0] * w[1]])

    start = jnp.asarray([0.0, 0.5], jnp.float32)
    end, state = run(residual, start, gauss_newton(damping=1e-2, space=space), 1)
    np.testing.assert_array_equal(end, start)
    assert not state.accepted and np.isclose(state.damping, 10 * 3 * 1e-2)


@pytest.mark.parametrize("space", ["parameters", "residuals", "matrix_free"])
def test_single_precision_reaches_its_rounding_on_an_ill_conditioned_problem(space):
    """Damping that falls to its lower bound must neither stall the iteration nor end in NaN."""
    x = jnp.linspace(-1, 1, 12, dtype=jnp.float32)

    def residual(w):
        powers = x[:, None] ** jnp.arange(8)
        return jnp.tanh(powers @ w) - jnp.sin(2 * x) / 2

    start = jnp.full(8, 0.1, jnp.float32)
    w, state = run(residual, start, gauss_newton(space=space), 60)
    assert w.dtype == state.damping.dtype == jnp.float32
    assert jnp.sum(residual(w) ** 2) < 1e-8 * jnp.sum(residual(start) ** 2)


def test_the_damping_comes_back_after_a_stall():
    """At the solution no step is accepted and the damping grows, up to ten times the trace; from
    there few steps solve the problem at other points."""
    first, other = jnp.asarray(RNG.normal(size=(2, 9, 3)))
    solution, optimizer = jnp.asarray(RNG.normal(size=3)), gauss_newton()

    @jax.jit
    def step(params, state, a):
        problem = SumOfSquares(lambda w: a @ (w - solution))
        updates, state = optimizer.update(params, state, params, least_squares=problem)
        return params + updates, state

    params, state = solution, optimizer.init(solution)
    for _ in range(30):
        params, state = step(params, state, first)
    np.testing.assert_array_equal(params, solution)
    assert not state.accepted and state.damping == 10 * params.size
    params = solution + 1
    for _ in range(10):
        params, state = step(params, state, other)
    np.testing.assert_allclose(params, solution, atol=1e-9)


def test_the_state_keeps_structure_and_precision():
    for dtype in (jnp.float32, jnp.float64):
        params = {"a": jnp.ones((2, 3), dtype), "b": jnp.zeros(2, dtype)}
        optimizer, problem = gauss_newton(), SumOfSquares(lambda p: p["a"].sum(axis=1) - p["b"])
        state = optimizer.init(params)
        updates, after = jax.eval_shape(
            lambda p, s, o=optimizer, q=problem: o.update(p, s, p, least_squares=q), params, state
        )
        assert jax.tree.map(lambda x: (x.shape, x.dtype), (params, state)) == jax.tree.map(
            lambda x: (x.shape, x.dtype), (updates, after)
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"damping": 0.0}, "damping and smallest must be positive"),
        ({"increase": 1.0}, "increase larger than 1"),
        ({"factors": ()}, "factors must be positive numbers, got ()"),
        ({"factors": (1.0, -1.0)}, "factors must be positive"),
        ({"space": "dual"}, "unknown space 'dual': expected one of auto, parameters, residuals"),
        ({"smallest": 0.0}, "smallest must be positive"),
        ({"max_bytes": 0}, "max_bytes must be a positive integer, got 0"),
        ({"iterations": 2.5}, "iterations must be a positive integer, got 2.5"),
        ({"tolerance": 1.0}, "tolerance must lie between 0 and 1, got 1.0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message.replace("()", r"\(\)")):
        gauss_newton(**options)


def test_it_says_what_it_needs():
    optimizer = gauss_newton()
    with pytest.raises(ValueError, match="call update.gradient, state, params, least_squares="):
        optimizer.update(jnp.ones(2), optimizer.init(jnp.ones(2)), jnp.ones(2))
