"""The update formula against its defining properties, and steps on known functions."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from pinnkit.optimizers.self_scaled_broyden import broyden_update, self_scaled_broyden

RNG = np.random.default_rng(1)


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def positive_definite(n):
    a = RNG.normal(size=(n, n))
    return a @ a.T + 0.1 * np.eye(n)


def step_of(n, curvature=1.0):
    """An estimate H, a step s and a y with y^T s > 0."""
    h, s = positive_definite(n), RNG.normal(size=n)
    return h, s, curvature * positive_definite(n) @ s


def update(h, s, y, first=False):
    return np.asarray(broyden_update(*map(jnp.asarray, (h, s, y, np.linalg.solve(h, s))), first))


@pytest.mark.parametrize("curvature", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("first", [False, True])
def test_secant_equation_symmetry_and_definiteness(curvature, first):
    h, s, y = step_of(6, curvature)
    new = update(h, s, y, first)
    np.testing.assert_allclose(new @ y, s, atol=1e-9)
    np.testing.assert_allclose(new, new.T, atol=1e-9 * np.abs(new).max())
    assert np.linalg.eigvalsh(new).min() > 0


def test_the_published_formula_in_numbers():
    """Al-Baali's choices written out once more, with scalars."""
    for curvature in (0.05, 1.0, 20.0):
        h, s, y = step_of(5, curvature)
        ys, hy = y @ s, h @ y
        hk, bk = y @ hy / ys, s @ np.linalg.solve(h, s) / ys
        ak = hk * bk - 1
        low = min(1, hk * (1 - np.sqrt(ak / (1 + ak))))
        theta = max((low - 1) / ak, min(1 / low, (1 - bk) / bk))
        sigma = 1 + theta * ak
        root = sigma ** (-1 / 4)
        least = min(1, 1 / bk)
        tau = least * min(root, 1 / theta) if theta > 0 else min(least * root, sigma)
        v = np.sqrt(y @ hy) * (s / ys - hy / (y @ hy))
        phi = (1 - theta) / (1 + ak * theta)
        expected = (h - np.outer(hy, hy) / (y @ hy) + phi * np.outer(v, v)) / tau
        np.testing.assert_allclose(update(h, s, y), expected + np.outer(s, s) / ys, rtol=1e-9)


def test_the_true_inverse_hessian_is_left_alone():
    hessian = positive_definite(5)
    s = RNG.normal(size=5)
    inverse = np.linalg.inv(hessian)
    np.testing.assert_allclose(update(inverse, s, hessian @ s), inverse, rtol=1e-6)


@pytest.mark.parametrize("spoil", [lambda y: -y, lambda y: 0 * y, lambda y: np.nan * y])
def test_a_step_without_positive_curvature_changes_nothing(spoil):
    h, s, y = step_of(4)
    np.testing.assert_array_equal(update(h, s, spoil(y)), h)


def minimize(value_fn, params, steps):
    optimizer = self_scaled_broyden()

    @jax.jit
    def step(params, state):
        value, grad = jax.value_and_grad(value_fn)(params)
        updates, state = optimizer.update(
            grad, state, params, value=value, grad=grad, value_fn=value_fn
        )
        return optax.apply_updates(params, updates), state

    state = optimizer.init(params)
    for _ in range(steps):
        params, state = step(params, state)
    return params, state


def test_a_badly_conditioned_quadratic_is_solved_and_its_hessian_found():
    hessian = np.diag(10.0 ** np.arange(-3, 3))
    start = {"a": jnp.ones(2), "b": jnp.ones((2, 2))}

    def quadratic(p):
        w = jnp.concatenate([p["a"], p["b"].ravel()])
        return w @ jnp.asarray(hessian) @ w / 2

    end, state = minimize(quadratic, start, 60)
    assert quadratic(end) < 1e-16
    assert state.count == 60


def test_rosenbrock_is_solved():
    def rosenbrock(w):
        return (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2

    end, _ = minimize(rosenbrock, jnp.asarray([-1.2, 1.0]), 60)
    np.testing.assert_allclose(end, 1, atol=1e-6)


def test_it_says_what_it_needs():
    optimizer = self_scaled_broyden()
    with pytest.raises(ValueError, match="needs parameters and loss: call update.gradient"):
        optimizer.update(jnp.ones(2), optimizer.init(jnp.ones(2)), jnp.ones(2))
