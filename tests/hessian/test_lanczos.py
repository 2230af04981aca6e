"""Krylov bases, Ritz values and their bounds, on matrices with known eigenvalues."""

import jax
import numpy as np
import pytest

from pinnkit.hessian import lanczos, spectrum

from .matrices import as_map, example, symmetric

KEY = jax.random.key(0)
SPREAD = np.concatenate([[-3.0, -1e-3], np.linspace(0.0, 1.0, 35), [40.0, 90.0, 1e4]])


@pytest.mark.parametrize(
    ("dtype", "steps", "tolerance"), [("float32", 12, 1e-5), ("float64", 40, 1e-13)]
)
def test_the_basis_is_orthonormal_and_makes_the_matrix_tridiagonal(dtype, steps, tolerance):
    matrix = symmetric(SPREAD)
    found = lanczos(as_map(matrix), example(40, dtype), steps=steps, key=KEY)
    q = np.asarray(found.basis, float)
    assert {x.dtype.name for x in found} == {dtype}
    np.testing.assert_allclose(q @ q.T, np.eye(steps), atol=tolerance)
    np.testing.assert_allclose(q @ matrix @ q.T, found.tridiagonal(), atol=tolerance * 1e4)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-13)])
@pytest.mark.parametrize(
    "eigenvalues",
    [
        SPREAD,
        np.zeros(40),
        np.repeat([-1.0, 0.0, 1e-2, 5.0], 10),
    ],
    ids=["spread", "zero", "multiple"],
)
def test_n_steps_find_every_eigenvalue_as_often_as_it_occurs(dtype, tolerance, eigenvalues):
    matrix = symmetric(eigenvalues)
    found = spectrum(as_map(matrix), example(40, dtype), steps=40, key=KEY)
    size = np.max(np.abs(eigenvalues))
    np.testing.assert_allclose(found.values, np.sort(eigenvalues), atol=tolerance * size)
    rest = matrix @ found.vectors.T - found.vectors.T * found.values[None, :]
    np.testing.assert_allclose(rest, 0, atol=tolerance * size)


def test_the_bounds_are_residuals_and_hold_and_the_ends_come_first():
    matrix = symmetric(SPREAD)
    found = jax.jit(lambda key: spectrum(as_map(matrix), example(40), steps=12, key=key))(KEY)
    rest = matrix @ found.vectors.T - found.vectors.T * found.values[None, :]
    residual = np.linalg.norm(rest, axis=0)
    assert residual.max() > 1e-3  # of values that have not converged
    np.testing.assert_allclose(found.bounds, residual, rtol=1e-6, atol=1e-11)
    nearest = np.min(np.abs(found.values[:, None] - SPREAD[None, :]), axis=1)
    assert np.all(nearest <= np.asarray(found.bounds) * (1 + 1e-6) + 1e-10)
    np.testing.assert_allclose(found.values[-3:], [40, 90, 1e4], rtol=1e-8)
    np.testing.assert_allclose(found.values[0], -3, rtol=1e-3)


def test_a_product_that_is_not_finite_shows():
    nan = np.full((40, 40), np.nan)
    found = spectrum(as_map(nan), example(40), steps=12, key=KEY)
    assert np.all(np.isnan(found.values))


@pytest.mark.parametrize("steps", [0, 41, 2.0, True])
def test_bad_steps(steps):
    with pytest.raises(ValueError, match="steps must be an integer from 1 to 40, the dimension"):
        lanczos(lambda v: v, example(40), steps=steps, key=KEY)


@pytest.mark.parametrize(
    "tree", [7, 1.0, {}, np.zeros(3, int), {"a": np.zeros(2), "b": np.zeros(2, "float32")}]
)
def test_bad_examples(tree):
    with pytest.raises(TypeError, match="expected arrays of one floating-point dtype"):
        lanczos(lambda v: v, tree, steps=1, key=KEY)
