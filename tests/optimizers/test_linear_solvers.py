"""Both solvers against NumPy, on spectra that decay as fast as those of a Gauss-Newton matrix."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnkit.optimizers._linear_solvers import cholesky, lanczos

MUS = (1e-8, 1e-4, 1e-1)


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


@pytest.fixture
def system():
    """A with the eigenvalues 1, 1/2, 1/4, ..., and b: shapes (40, 40) and (40,)."""
    rng = np.random.default_rng(0)
    vectors = np.linalg.qr(rng.normal(size=(40, 40)))[0]
    return vectors * 0.5 ** np.arange(40) @ vectors.T, rng.normal(size=40)


def test_cholesky_solves_for_every_damping(system):
    matrix, right = system
    solve = cholesky(jnp.asarray(matrix), jnp.asarray(right))
    for mu in MUS:
        expected = np.linalg.solve(matrix + mu * np.eye(40), right)
        np.testing.assert_allclose(solve(mu), expected, rtol=1e-6)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-6])
def test_one_krylov_space_serves_every_damping(system, tolerance):
    """As accurate as asked for at the smallest mu, no worse at the others, in few products."""
    matrix, right = map(jnp.asarray, system)
    solve, products = lanczos(
        lambda v: matrix @ v, right, MUS[0], iterations=60, tolerance=tolerance
    )
    for mu in MUS:
        x = solve(mu)
        error = jnp.linalg.norm(right - matrix @ x - mu * x) / jnp.linalg.norm(right)
        assert error <= 1.01 * tolerance
        if mu == MUS[0]:
            assert error > 1e-4 * tolerance
    assert products <= 40


@pytest.mark.parametrize("options", [{"iterations": 4}, {"tolerance": 0.5}])
def test_its_iterates_are_those_of_conjugate_gradients(system, options):
    """After k products the best of the Krylov space, in the energy norm (Galerkin's condition)."""
    matrix, right = system
    mu = 1e-3
    solve, k = lanczos(
        lambda v: jnp.asarray(matrix) @ v,
        jnp.asarray(right),
        mu,
        **({"iterations": 40, "tolerance": 1e-15} | options),
    )
    assert 2 <= k <= 10
    powers = [right]
    for _ in range(k - 1):
        powers.append(matrix @ powers[-1])
    basis = np.linalg.qr(np.stack(powers, axis=1))[0]
    projected = basis.T @ matrix @ basis + mu * np.eye(k)
    expected = basis @ np.linalg.solve(projected, basis.T @ right)
    np.testing.assert_allclose(solve(mu), expected, rtol=1e-5)


def test_it_stops_where_the_krylov_space_ends():
    """A right side in the span of two eigenvectors needs two products; none at all is zero."""
    diagonal = jnp.arange(1.0, 9.0)
    right = jnp.zeros(8).at[jnp.array([2, 5])].set(1.0)
    solve, products = lanczos(lambda v: diagonal * v, right, 0.5, iterations=8, tolerance=1e-12)
    assert products == 2
    np.testing.assert_allclose(solve(0.5), right / (diagonal + 0.5), rtol=1e-12)
    solve, _ = lanczos(lambda v: diagonal * v, 0 * right, 0.5, iterations=8, tolerance=1e-12)
    np.testing.assert_array_equal(solve(0.5), 0)
