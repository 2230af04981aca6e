"""The toys' minima, gradients, conflicts and errors; what Newton does that descent does not."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import pinnkit
from pinnkit.toys import TOYS, opposed_lines, rosenbrock


@pytest.mark.parametrize("name", TOYS)
def test_the_minimum_is_zero_and_the_gradients_add_up(name):
    toy = TOYS[name]
    np.testing.assert_allclose(toy.loss(jnp.asarray(toy.minimum)), 0, atol=1e-12)
    w = jnp.asarray(toy.start)
    gradients = toy.gradients(w)
    assert gradients.keys() == toy.losses(w).keys()
    np.testing.assert_allclose(sum(gradients.values()), jax.grad(toy.loss)(w), rtol=1e-5)


@pytest.mark.parametrize("angle", [60.0, 90.0, 150.0])
@pytest.mark.parametrize("ratio", [1.0, 10.0])
def test_lines_meet_at_the_angle_with_the_ratio(angle, ratio):
    toy = opposed_lines(angle, ratio)
    between = toy.gradients(jnp.asarray([0.0, 1.0]))  # a . w > 0 > b . w
    score = pinnkit.alignment_score(list(between.values()))
    assert score == pytest.approx(-np.cos(np.radians(angle)), abs=1e-5)
    lengths = [float(jnp.linalg.norm(g)) for g in between.values()]
    assert lengths[1] / lengths[0] == pytest.approx(ratio**2, rel=1e-5)
    hessian = jax.hessian(toy.loss)(jnp.zeros(2))
    if ratio == 1:
        c = abs(np.cos(np.radians(angle)))
        assert np.linalg.cond(hessian) == pytest.approx((1 + c) / (1 - c), rel=1e-4)


def test_gauss_newton_solves_linear_residuals_at_once():
    path = opposed_lines(175.0).path(pinnkit.gauss_newton(damping=1e-6), 3)
    assert path.shape == (4, 2)
    assert np.linalg.norm(path[1]) < 1e-2 < 0.5 < np.linalg.norm(path[0])


def test_a_narrow_valley_makes_descent_bounce():
    toy = opposed_lines(ratio=10.0, angle=90.0)
    largest = float(jnp.linalg.eigvalsh(jax.hessian(toy.loss)(jnp.zeros(2)))[-1])
    path = toy.path(optax.sgd(1.9 / largest), 20)
    steps = np.diff(path, axis=0)
    cosines = np.sum(steps[1:] * steps[:-1], axis=1)
    assert np.all(cosines[:10] < 0)


def test_a_start_of_ones_own_and_double_precision():
    with jax.enable_x64(True):
        path = rosenbrock().path(pinnkit.self_scaled_broyden(), 60, (-0.5, 0.5), "float64")
    assert path.dtype == np.float64
    np.testing.assert_array_equal(path[0], [-0.5, 0.5])
    np.testing.assert_allclose(path[-1], [1, 1], atol=1e-8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: opposed_lines(180.0), "angle must lie between 0 and 180 degrees, got 180.0"),
        (lambda: opposed_lines(ratio=0.0), "ratio must be positive and finite, got 0.0"),
        (lambda: rosenbrock(-1.0), "steepness must be positive and finite, got -1.0"),
        (lambda: rosenbrock().path(optax.sgd(1.0), 0), "steps must be an integer >= 1, got 0"),
        (lambda: rosenbrock().path(optax.sgd(1.0), 1, (1.0,)), "must be 2 finite numbers"),
        (lambda: rosenbrock().path(optax.sgd(1.0), 1, (1.0, np.inf)), "must be 2 finite numbers"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
