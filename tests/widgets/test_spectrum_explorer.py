"""The spectrum and the linearized descent behind the figure, without a browser."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.flatten_util import ravel_pytree

import pinnkit
from pinnkit.least_squares import LeastSquares
from pinnkit.problems import Burgers
from pinnkit.terms import Loss
from pinnkit.widgets import SpectrumExplorer
from pinnkit.widgets.spectrum_explorer import STEPS

PROBLEM = Burgers(viscosity=0.05)
POINTS = pinnkit.UniformSampler(interior=200, condition=40)


@pytest.fixture(scope="module")
def network():
    return pinnkit.network(PROBLEM, width=6, depth=2, dtype="float64")


@pytest.fixture(scope="module")
def explorer(network):
    return SpectrumExplorer(PROBLEM, {"start": network}, points=POINTS)


@pytest.mark.parametrize("weight", [1.0, 100.0])
def test_the_matrix_is_that_of_gauss_newton(explorer, network, weight):
    with jax.enable_x64(True):
        graph, params, rest = nnx.split(network, nnx.Param, ...)
        at = POINTS(jax.random.key(0), PROBLEM, jnp.dtype("float64"))
        squares = LeastSquares(
            Loss(PROBLEM, {"initial": weight}),
            lambda p: nnx.merge(graph, nnx.State(p), rest),
            at,
        )
        pure = nnx.to_pure_dict(params)
        normal, gradient, loss = map(np.asarray, squares.normal(pure))
        jacobian = squares.jacobian(pure)[1]
        step = np.linalg.lstsq(jacobian, -squares.residual(pure), rcond=1e-7)[0]
        assert ravel_pytree(pure)[0].size == len(normal)
    result = explorer.compute("start", weight, 1000)
    expected = np.linalg.eigvalsh(normal)[::-1][: len(result.eigenvalues)]
    np.testing.assert_allclose(result.eigenvalues[:20], expected[:20], rtol=1e-6)
    # one step of gradient descent on the linearized network, at the rate 1 / largest
    d = -gradient / result.eigenvalues[0]
    assert result.descent[0] == pytest.approx(loss + 2 * gradient @ d + d @ normal @ d, rel=1e-6)
    least = float(loss + 2 * gradient @ step + step @ normal @ step)
    assert result.least == pytest.approx(least, rel=0.05)


def test_more_steps_settle_more_and_the_loss_falls(explorer):
    few, many = (explorer.compute("start", 1.0, steps) for steps in (10, 1e5))
    assert few.settled < many.settled <= len(many.eigenvalues)
    assert (np.diff(few.descent) <= 1e-12).all()
    assert few.least <= few.descent[-1] <= few.descent[0]
    assert len(few.descent) == len(STEPS)


def test_after_the_limit_half_of_the_error_is_left(explorer):
    result = explorer.compute("start", 1.0, 1000)
    share = result.limit / result.eigenvalues[0]
    assert (1 - share) ** 1000 == pytest.approx(0.5, rel=1e-6)


def test_knobs_move_picture_and_text(explorer):
    for knob, value, text in (("steps", 1e5, "After 100000 steps"), ("weight", 100.0, "from")):
        before = explorer._picture.value
        explorer.controls[knob].value = value
        assert text in explorer.static[0]["text/plain"] and explorer._picture.value != before
