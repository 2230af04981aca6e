"""Kronecker products found again, the best one against others, and layers of a network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnkit.hessian import (
    gauss_newton_block,
    kronecker_distance,
    kronecker_factors,
    layer_jacobian,
    nearest_kronecker,
)

from .matrices import RNG, symmetric

A, B = symmetric([0.1, 1.0, 7.0]), symmetric([0.5, 2.0, 3.0, 4.0, 9.0])


def drawn_with_covariance(a, b):
    """Matrices G with sum vec(G) vec(G)^T = a (x) b: a^(1/2) e_i e_j^T b^(1/2) for all i, j."""
    left, right = np.linalg.cholesky(a), np.linalg.cholesky(b)
    return jnp.asarray([np.outer(x, y) for x in left.T for y in right.T])


def residual(params):
    hidden = jnp.tanh(jnp.linspace(-1, 1, 14).reshape(7, 2) @ params["first"])
    return jnp.sin(hidden @ params["second"]["kernel"] + params["bias"][None, :])[:, 0]


@pytest.fixture
def params():
    return {
        "bias": jnp.asarray(RNG.normal(size=1)),
        "first": jnp.asarray(RNG.normal(size=(2, 3))),
        "second": {"kernel": jnp.asarray(RNG.normal(size=(3, 1)))},
    }


def test_gradients_of_kronecker_covariance_have_its_factors():
    """E[G G^T] = A tr B and E[G^T G] = B tr A, each divided by the number of gradients."""
    gradients = drawn_with_covariance(A, B)
    left, right = kronecker_factors(gradients)
    np.testing.assert_allclose(left * 15, A * np.trace(B), atol=1e-12)
    np.testing.assert_allclose(right * 15, B * np.trace(A), atol=1e-12)
    block = gauss_newton_block(gradients)
    np.testing.assert_allclose(block, 2 * np.kron(A, B), atol=1e-12)
    np.testing.assert_allclose(kronecker_distance(block, left, right), 0, atol=1e-14)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-14)])
def test_a_kronecker_product_is_found_again(dtype, tolerance):
    block = jnp.asarray(np.kron(A, B), dtype)
    found = jax.jit(nearest_kronecker, static_argnums=1)(block, (3, 5))
    assert {x.dtype.name for x in found} == {dtype}
    size = np.linalg.norm(block)
    np.testing.assert_allclose(np.kron(found.left, found.right), block, atol=tolerance * size)
    np.testing.assert_allclose(found.error, 0, atol=tolerance)
    np.testing.assert_allclose(np.linalg.norm(found.left), np.linalg.norm(found.right), rtol=1e-6)
    assert np.linalg.eigvalsh(found.left)[0] > 0 and np.linalg.eigvalsh(found.right)[0] > 0


def test_the_error_of_a_sum_of_two_orthogonal_products():
    """|3 A1 (x) B1 + 4 A2 (x) B2|: the larger is kept, the smaller lost, 3 / 5 of the norm."""
    a1, a2 = np.diag([1.0, 0, 0]), np.diag([0, 1.0, 0])
    b1, b2 = np.diag([1.0, 0]), np.diag([0, 1.0])
    block = jnp.asarray(3 * np.kron(a1, b1) + 4 * np.kron(a2, b2))
    found = nearest_kronecker(block, (3, 2))
    np.testing.assert_allclose(found.error, 0.6)
    np.testing.assert_allclose(np.kron(found.left, found.right), 4 * np.kron(a2, b2), atol=1e-14)
    np.testing.assert_allclose(kronecker_distance(block, 9 * a1, b1), 0.8)
    np.testing.assert_allclose(kronecker_distance(block, -a2, b2), 0.6)


def test_no_other_product_is_nearer_to_a_random_block():
    block = gauss_newton_block(jnp.asarray(RNG.normal(size=(6, 3, 5))))
    found = nearest_kronecker(block, (3, 5))
    miss = np.linalg.norm(block - np.kron(found.left, found.right)) / np.linalg.norm(block)
    np.testing.assert_allclose(found.error, miss, rtol=1e-12)
    np.testing.assert_allclose(
        kronecker_distance(block, found.left, found.right), found.error, rtol=1e-12
    )
    for _ in range(20):
        left = found.left + 0.1 * RNG.normal(size=(3, 3))
        right = found.right + 0.1 * RNG.normal(size=(5, 5))
        assert kronecker_distance(block, left, right) > found.error


def test_factors_of_gradients_are_one_power_step_from_the_identity():
    rows = jnp.asarray(RNG.normal(size=(6, 3, 5)))
    block = np.asarray(gauss_newton_block(rows)).reshape(3, 5, 3, 5)
    left, right = kronecker_factors(rows)
    np.testing.assert_allclose(12 * left, np.einsum("ijkj->ik", block), rtol=1e-12)
    np.testing.assert_allclose(12 * right, np.einsum("ijil->jl", block), rtol=1e-12)


@pytest.mark.parametrize("layer", ["first", "second/kernel"])
def test_the_jacobian_of_a_layer(layer, params):
    whole = jax.jacrev(residual)(params)
    expected = whole["first"] if layer == "first" else whole["second"]["kernel"]
    found = layer_jacobian(residual, params, layer, batch=4)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_bad_input(params):
    with pytest.raises(ValueError, match="no weight matrix 'bias': expected one of first, second"):
        layer_jacobian(residual, params, "bias")
    with pytest.raises(ValueError, match=r"expected matrices of shape \(n, a, b\), got shape \(3,"):
        kronecker_factors(jnp.ones((3, 5)))
    with pytest.raises(ValueError, match=r"shape \(3, 5\) has shape \(15, 15\), got \(14, 14\)"):
        nearest_kronecker(jnp.ones((14, 14)), (3, 5))
