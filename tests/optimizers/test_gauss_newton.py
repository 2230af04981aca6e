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
    gram = a.T @ a
    expected = np.linalg.solve(gram + 0.3 * np.trace(gram) / 6 * np.eye(6), a.T @ b)
    for space in ("parameters", "residuals", "auto"):
        optimizer = gauss_newton(damping=0.3, factors=(1.0,), space=space)
        w, state = run(lambda w: jnp.asarray(a) @ w - b, jnp.zeros(6), optimizer, 1)
        np.testing.assert_allclose(w, expected, atol=1e-12)
        assert state.accepted and np.isclose(state.damping, 0.3)


def test_rosenbrock_is_solved_in_few_steps():
    start = {"x": jnp.asarray(-1.2), "y": jnp.asarray(1.0)}
    end, _ = run(rosenbrock, start, gauss_newton(), 25)
    np.testing.assert_allclose([end["x"], end["y"]], 1, atol=1e-8)


def test_of_several_dampings_the_best_is_taken():
    """On a line all steps point the same way, and less damping goes further."""
    optimizer = gauss_newton(damping=1.0, factors=(0.01, 1.0, 100.0))
    w, state = run(lambda w: w - 1.0, jnp.zeros(1), optimizer, 1)
    assert np.isclose(state.damping, 0.01) and np.isclose(w[0], 1 / 1.01)


def test_a_step_that_would_not_help_is_not_taken():
    """Every step from w = 1 overshoots into a region that is worse, or not finite."""

    def cliff(w):
        return jnp.where(w > 0.999, w, jnp.where(w > 0.5, 10.0, jnp.nan))

    w, state = run(cliff, jnp.ones(1), gauss_newton(damping=1e-2), 1)
    assert w[0] == 1 and not state.accepted
    assert np.isclose(state.damping, 10 * 3 * 1e-2)


def test_the_state_keeps_structure_and_precision():
    for dtype in (jnp.float32, jnp.float64):
        params = {"a": jnp.ones((2, 3), dtype), "b": jnp.zeros(2, dtype)}
        optimizer, problem = gauss_newton(), SumOfSquares(lambda p: p["a"].sum(axis=1) - p["b"])
        state = optimizer.init(params)
        updates, after = optimizer.update(params, state, params, least_squares=problem)
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
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message.replace("()", r"\(\)")):
        gauss_newton(**options)


def test_it_says_what_it_needs():
    optimizer = gauss_newton()
    with pytest.raises(ValueError, match="call update.gradient, state, params, least_squares="):
        optimizer.update(jnp.ones(2), optimizer.init(jnp.ones(2)), jnp.ones(2))
