"""Quadrature rules against moments, traces against their known variance, the smoothed density."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnkit.hessian import spectral_density

from .matrices import as_map, example, symmetric

KEY = jax.random.key(0)
EIGENVALUES = np.concatenate([np.full(10, -0.5), np.linspace(0, 1, 25), np.full(5, 3.0)])


def test_the_rule_is_exact_for_polynomials_of_degree_2k_minus_1():
    """For a diagonal A and signs z, z^T A^d z / n is the mean of the eigenvalues' powers."""
    density = spectral_density(
        as_map(np.diag(EIGENVALUES)), example(40), probes=2, steps=3, key=KEY
    )
    for degree in range(7):
        rule = np.sum(density.weights * density.nodes**degree, axis=1)
        exact = np.allclose(rule, np.mean(EIGENVALUES**degree), rtol=1e-12)
        assert exact == (degree <= 5)


def test_traces_and_their_standard_error():
    """z^T A z of random signs z has the variance 2 sum_{i != j} A_ij^2."""
    matrix, probes = symmetric(EIGENVALUES), 400
    density = jax.jit(
        lambda key: spectral_density(as_map(matrix), example(40), probes=probes, steps=12, key=key)
    )(KEY)
    for function, whole in ((lambda x: x, matrix), (jnp.square, matrix @ matrix)):
        value, error = density.trace(function)
        off_diagonal = whole - np.diag(np.diag(whole))
        expected = (2 * np.sum(off_diagonal**2) / probes) ** 0.5
        np.testing.assert_allclose(error, expected, rtol=0.15)
        assert abs(value - np.trace(whole)) < 3 * expected
    np.testing.assert_allclose(density.trace(jnp.ones_like), (40, 0), atol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_density_of_a_diagonal_matrix_is_exact(dtype):
    values = np.repeat([-2.0, 0.0, 1.0, 100.0], [4, 20, 10, 6])
    density = spectral_density(
        as_map(np.diag(values)), example(40, dtype), probes=3, steps=6, key=KEY
    )
    value, error = density.trace()
    np.testing.assert_allclose([value, error], [values.sum(), 0], atol=1e-3)
    bins = np.array([-3.0, -1, 0.5, 2, 200])
    shares = np.histogram(density.nodes.ravel(), bins, weights=density.weights.ravel())[0] / 3
    np.testing.assert_allclose(shares, [0.1, 0.5, 0.25, 0.15], atol=1e-5)


@pytest.mark.parametrize("linear", [None, 0.01])
def test_the_smoothed_density_is_a_sum_of_bells(linear):
    values = np.repeat([-2.0, 0.0, 10.0], [10, 20, 10])
    density = spectral_density(as_map(np.diag(values)), example(40), probes=2, steps=3, key=KEY)
    u = np.linspace(-15, 15, 3001)
    grid = u if linear is None else linear * np.sinh(u)
    found = density.smooth(grid, width=0.1, linear=linear)
    place = np.array([-2, 0, 10]) if linear is None else np.arcsinh(np.array([-2, 0, 10]) / linear)
    bells = np.exp(-((u[:, None] - place) ** 2) / 0.02) / (0.1 * (2 * np.pi) ** 0.5)
    np.testing.assert_allclose(found, bells @ [0.25, 0.5, 0.25], atol=1e-8)
    np.testing.assert_allclose(np.sum(found) * (u[1] - u[0]), 1, atol=1e-8)


def test_bad_input():
    with pytest.raises(ValueError, match="probes must be an integer >= 2, got 1"):
        spectral_density(lambda v: v, jnp.zeros(5), probes=1, steps=2, key=KEY)
    with pytest.raises(ValueError, match="steps must be an integer from 1 to 5"):
        spectral_density(lambda v: v, jnp.zeros(5), steps=6, key=KEY)
    density = spectral_density(lambda v: v, jnp.zeros(5), probes=2, steps=2, key=KEY)
    for options in ({"width": 0.0}, {"width": 1.0, "linear": -1.0}):
        with pytest.raises(ValueError, match="must be positive"):
            density.smooth(jnp.zeros(3), **options)
