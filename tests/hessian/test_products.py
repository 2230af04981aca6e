"""Products against closed forms, against dense Hessians of a PINN, and what `fit` minimizes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.flatten_util import ravel_pytree

import pinnkit
from pinnkit.hessian import gauss_newton_product, hessian_product, objective
from pinnkit.least_squares import LeastSquares
from pinnkit.terms import Loss

from .matrices import RNG, as_map, example, symmetric

PROBLEM = pinnkit.problems.Burgers(viscosity=0.1)
POINTS = pinnkit.UniformSampler(interior=20, condition=5)
OPTIONS = {"weights": {"initial": 7.0}, "causal": pinnkit.CausalWeights(tolerance=0.1)}


def small(dtype="float64"):
    return pinnkit.network(PROBLEM, width=4, depth=1, dtype=dtype, seed=3)


def random_like(params):
    flat, unravel = ravel_pytree(params)
    return unravel(jnp.asarray(RNG.normal(size=flat.size), flat.dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_quadratic_has_its_matrix_as_hessian(dtype):
    matrix, tree = symmetric(np.linspace(-1.0, 3.0, 9)), example(9, dtype)
    apply = as_map(matrix)

    def loss(tree):
        flat = ravel_pytree(tree)[0]
        return flat @ ravel_pytree(apply(tree))[0] / 2 + jnp.sum(flat)

    v = random_like(tree)
    product = jax.jit(hessian_product(loss, tree))(v)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), product) == jax.tree.map(
        lambda x: (x.shape, x.dtype), tree
    )
    expected = matrix @ np.asarray(ravel_pytree(v)[0], float)
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(ravel_pytree(product)[0], expected, atol=tolerance)


def test_the_remainder_of_the_hessian_is_residual_times_curvature():
    """r = w^2: the loss w^4 has H = 12 w^2, of which the Gauss-Newton part is 2 (2 w)^2."""
    w, one = jnp.asarray([1.5]), jnp.ones(1)
    hessian = hessian_product(lambda w: jnp.sum(w**4), w)(one)
    gauss_newton = gauss_newton_product(lambda w: w**2, w)(one)
    np.testing.assert_allclose(hessian, 12 * 1.5**2)
    np.testing.assert_allclose(gauss_newton, 8 * 1.5**2)


def test_products_of_a_problem_against_differences_and_a_dense_jacobian():
    weights = OPTIONS["weights"]
    params, loss, residual, points = objective(PROBLEM, small(), POINTS, weights=weights)
    graph, _, rest = nnx.split(small(), nnx.Param, ...)
    squares = LeastSquares(
        Loss(PROBLEM, weights=weights), lambda p: nnx.merge(graph, nnx.State(p), rest), points
    )
    v = random_like(params)

    @jax.jit
    def found(params):
        both = hessian_product(loss, params)(v), gauss_newton_product(residual, params)(v)
        return [ravel_pytree(x)[0] for x in both]

    @jax.jit
    def gradient(shift):
        there = jax.tree.map(lambda p, d: p + shift * d, params, v)
        return ravel_pytree(jax.grad(loss)(there))[0]

    _, jacobian = jax.jit(squares.jacobian)(params)
    hessian_v, gauss_newton_v = found(params)
    difference = (gradient(1e-5) - gradient(-1e-5)) / 2e-5
    size = np.linalg.norm(hessian_v)
    np.testing.assert_allclose(hessian_v, difference, atol=1e-7 * size)
    expected = 2 * jacobian.T @ (jacobian @ ravel_pytree(v)[0])
    np.testing.assert_allclose(gauss_newton_v, expected, atol=1e-12 * size)
    assert np.linalg.norm(hessian_v - gauss_newton_v) > 1e-3 * size


def test_the_objective_is_what_fit_minimizes():
    sampler = pinnkit.ResidualSampler(interior=20, condition=5)
    options = {"points": sampler, "seed": 5, **OPTIONS}
    run = pinnkit.fit(
        PROBLEM, small(), optax.sgd(1e-3), steps=1, monitor_every=1, progress=False, **options
    )
    params, loss, residual, points = objective(PROBLEM, small(), **options)
    value = jax.jit(loss)(params)
    np.testing.assert_allclose(run.history["loss"][0], value, rtol=1e-10)
    np.testing.assert_allclose(jnp.sum(jax.jit(residual)(params) ** 2), value, rtol=1e-10)
    assert objective(PROBLEM, small(), points, **OPTIONS).points is points


def test_the_objective_has_the_precision_of_the_network():
    params, loss, residual, points = objective(PROBLEM, small("float32"), POINTS)
    shapes = jax.eval_shape(lambda p: (loss(p), residual(p)), params)
    assert {x.dtype.name for x in jax.tree.leaves((params, points, shapes))} == {"float32"}


def test_conditions_that_hold_exactly_have_no_rows():
    network = pinnkit.network(PROBLEM, width=4, depth=1, hard=True, dtype="float64")
    params, _, residual, _ = objective(PROBLEM, network, POINTS)
    assert jax.eval_shape(residual, params).shape == (20,)


def test_bad_functions():
    with pytest.raises(TypeError, match=r"a loss must return a scalar, got shape \(3,\)"):
        hessian_product(lambda w: w**2, jnp.ones(3))
    with pytest.raises(TypeError, match="a residual must return one array, got"):
        gauss_newton_product(lambda w: {"pde": w}, jnp.ones(3))
    with pytest.raises(ValueError, match="unknown loss term 'edge'"):
        objective(PROBLEM, small(), weights={"edge": 1.0})
