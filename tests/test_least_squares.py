"""The rows whose squares add up to the loss, their Jacobian, and the normal equations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.flatten_util import ravel_pytree

import pinnkit
from pinnkit.least_squares import LeastSquares
from pinnkit.terms import Loss

CASES = {
    "causal": (pinnkit.problems.Burgers(), {"initial": 7.0}, pinnkit.CausalWeights()),
    "plain": (pinnkit.problems.Wave(), {"initial": 2.0, "boundary": 3.0}, None),
    "several equations": (pinnkit.problems.LidDrivenCavity(), {"lid": 5.0}, None),
}


@pytest.fixture(params=CASES)
def case(request):
    """Loss, its least squares and parameters, in double precision."""
    problem, weights, causal = CASES[request.param]
    with jax.enable_x64(True):
        network = pinnkit.network(problem, width=5, depth=2, dtype="float64")
        graph, params = nnx.split(network)
        params = nnx.to_pure_dict(params)
        loss = Loss(problem, weights, causal)
        points = pinnkit.UniformSampler(interior=37, condition=5)(
            jax.random.key(0), problem, jnp.float64
        )

        def apply(params):
            return nnx.merge(graph, nnx.State(params))

        yield loss, LeastSquares(loss, apply, points, chunk=10), params


def objective(loss, squares):
    return lambda p: loss.total(loss.by_term(squares.network(p), squares.points))


def test_the_squares_add_up_to_the_loss(case):
    loss, squares, params = case
    total = jnp.sum(squares.residual(params) ** 2)
    np.testing.assert_allclose(total, objective(loss, squares)(params), rtol=1e-12)


def test_the_jacobian_gives_the_gradient_of_the_loss(case):
    loss, squares, params = case
    residual, jacobian = squares.jacobian(params)
    np.testing.assert_allclose(residual, squares.residual(params), rtol=1e-12)
    gradient = ravel_pytree(jax.grad(objective(loss, squares))(params))[0]
    np.testing.assert_allclose(2 * jacobian.T @ residual, gradient, atol=1e-12)


def test_normal_equations_in_chunks_are_those_of_the_whole(case):
    _, squares, params = case
    residual, jacobian = squares.jacobian(params)
    gram, right = squares.normal(params)
    np.testing.assert_allclose(gram, jacobian.T @ jacobian, atol=1e-11)
    np.testing.assert_allclose(right, jacobian.T @ residual, atol=1e-11)
