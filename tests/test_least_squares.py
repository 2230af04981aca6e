"""The rows whose squares add up to the loss, their Jacobian, and the normal equations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.flatten_util import ravel_pytree

import pinnkit
from pinnkit import least_squares
from pinnkit.least_squares import LeastSquares
from pinnkit.terms import Loss

CASES = {
    "causal": (pinnkit.problems.Burgers(), {"initial": 7.0}, pinnkit.CausalWeights()),
    "plain": (pinnkit.problems.Wave(), {"initial": 2.0, "boundary": 3.0}, None),
    "several equations": (pinnkit.problems.LidDrivenCavity(), {"lid": 5.0}, None),
}


def make(name):
    """Loss, its least squares and parameters, in double precision."""
    problem, weights, causal = CASES[name]
    network = pinnkit.network(problem, width=4, depth=1, dtype="float64")
    graph, params = nnx.split(network)
    loss = Loss(problem, weights, causal)
    points = pinnkit.UniformSampler(interior=37, condition=5)(
        jax.random.key(0), problem, jnp.float64
    )

    def apply(params):
        return nnx.merge(graph, nnx.State(params))

    return loss, LeastSquares(loss, apply, points, chunk=10), nnx.to_pure_dict(params)


def products(squares, params, v, u):
    residual, jvp, vjp = squares.products(params)
    return residual, jvp(v), vjp(u)


@pytest.fixture(scope="module", params=CASES)
def computed(request):
    """All that one case computes, in one compiled program."""
    with jax.enable_x64(True):
        loss, squares, params = make(request.param)
        rng = np.random.default_rng(0)
        shape = jax.eval_shape(squares.jacobian, params)[1].shape
        u, v = (jnp.asarray(rng.normal(size=n)) for n in shape)

        @jax.jit
        def compute(params):
            def objective(params):
                return loss.total(loss.by_term(squares.network(params), squares.points))

            value, gradient = jax.value_and_grad(objective)(params)
            return {
                "value": value,
                "gradient": ravel_pytree(gradient)[0],
                "residual": squares.residual(params),
                "jacobian": squares.jacobian(params),
                "normal": squares.normal(params),
                "kernel": squares.kernel(params),
                "products": products(squares, params, v, u),
            }

        return jax.tree.map(np.asarray, {"u": u, "v": v} | compute(params))


def test_the_squares_add_up_to_the_loss(computed):
    np.testing.assert_allclose(np.sum(computed["residual"] ** 2), computed["value"], rtol=1e-12)


def test_the_jacobian_gives_the_gradient_of_the_loss(computed):
    residual, jacobian = computed["jacobian"]
    np.testing.assert_allclose(residual, computed["residual"], rtol=1e-12)
    np.testing.assert_allclose(2 * jacobian.T @ residual, computed["gradient"], atol=1e-12)


def test_matrices_in_chunks_are_those_of_the_whole_jacobian(computed):
    residual, jacobian = computed["jacobian"]
    gram, right, value = computed["normal"]
    np.testing.assert_allclose(gram, jacobian.T @ jacobian, atol=1e-11)
    np.testing.assert_allclose(right, jacobian.T @ residual, atol=1e-11)
    np.testing.assert_allclose(value, residual @ residual, rtol=1e-12)
    kernel, again = computed["kernel"]
    np.testing.assert_allclose(kernel, jacobian @ jacobian.T, atol=1e-11)
    np.testing.assert_allclose(again, residual, rtol=1e-12)


def test_products_are_those_with_the_jacobian(computed):
    residual, jacobian = computed["jacobian"]
    again, along, back = computed["products"]
    np.testing.assert_allclose(again, residual, rtol=1e-12)
    np.testing.assert_allclose(along, jacobian @ computed["v"], atol=1e-11)
    np.testing.assert_allclose(back, jacobian.T @ computed["u"], atol=1e-11)


def test_products_that_keep_nothing_are_the_same(monkeypatch):
    with jax.enable_x64(True):
        _, squares, params = make("plain")
        rows, columns = jax.eval_shape(squares.jacobian, params)[1].shape
        u, v = jnp.linspace(-1, 1, rows), jnp.linspace(-1, 2, columns)
        results = []
        for tape_bytes in (least_squares.TAPE_BYTES, 0):
            monkeypatch.setattr(least_squares, "TAPE_BYTES", tape_bytes)
            program = jax.jit(lambda p: products(squares, p, v, u)).lower(params).compile()
            results.append((program(params), program.memory_analysis().temp_size_in_bytes))
        (kept, much), (anew, little) = results
        for a, b in zip(kept, anew, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)
        assert little < much


def test_few_rows_are_in_memory_at_a_time(monkeypatch):
    """The compiled program's temporary memory stays far below the size of the Jacobian."""
    with jax.enable_x64(True):
        _, squares, params = make("plain")
        points = {name: jnp.tile(x, (40, 1)) for name, x in squares.points.items()}
        many = LeastSquares(squares.loss, squares.network, points)
        size = 8 * jax.eval_shape(many.jacobian, params)[1].size
        monkeypatch.setattr(least_squares, "CHUNK_BYTES", size // 50)
        memory = jax.jit(many.normal).lower(params).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 0.3 * size
