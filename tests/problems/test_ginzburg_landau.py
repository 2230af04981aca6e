"""The estimate that the hard initial condition is built on, against the equation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnkit.derivatives import partials
from pinnkit.problems import GinzburgLandau


@pytest.fixture
def points():
    with jax.enable_x64(True):
        yield jax.random.uniform(jax.random.key(0), (200, 3), "float64", -1.0, 1.0)


def at(points, t):
    return points.at[:, 0].set(t)


def test_the_hard_condition_holds_whatever_the_network_says(points):
    problem = GinzburgLandau()
    start = at(points, 0.0)
    imposed = jax.vmap(lambda p: problem.impose(p, jnp.array([3.0, -2.0])))(start)
    np.testing.assert_allclose(imposed, jax.vmap(problem.initial)(start), atol=1e-10)


def test_the_estimate_is_periodic_to_second_order(points):
    """Up to the images that are left out, two periods away."""
    field = GinzburgLandau().field(GinzburgLandau().linear_and_saturated)
    inner = points.at[:, 0].set(jnp.abs(points[:, 0]))

    def derivatives(p):
        return jnp.stack(partials(field, p, "u u_x u_xx v v_x v_xx"))

    left, right = (jax.vmap(derivatives)(inner.at[:, 1].set(x)) for x in (-1.0, 1.0))
    assert float(jnp.max(jnp.abs(right))) > 1e-3
    np.testing.assert_allclose(left, right, atol=1e-9)


@pytest.mark.parametrize("rotation", [0.0, 1.5])
def test_the_estimate_solves_the_equation_where_the_amplitude_is_small(points, rotation):
    problem = GinzburgLandau(rotation=rotation)
    field = problem.field(problem.linear_and_saturated)
    early = at(points, 0.3)
    residual = jax.vmap(lambda p: problem.residual(field, p)["pde_u"])(early)
    growth = jax.vmap(lambda p: jnp.abs(partials(field, p, "u_t")[0]))(early)
    size = jnp.linalg.norm(jax.vmap(problem.linear_and_saturated)(early), axis=1)
    small = size < 1e-4
    assert int(jnp.sum(small)) > 20
    assert float(jnp.max(jnp.abs(residual[small]))) < 1e-6 * float(jnp.max(growth[small]))


def test_the_estimate_saturates(points):
    """At the end |A| is 1 where the front has passed, as the reference's is to a quarter."""
    problem = GinzburgLandau()
    reference = problem.reference()
    t, x, y = (reference.axes[c] for c in "txy")
    grid = np.stack(np.meshgrid([t[-1]], x, y, indexing="ij"), -1).reshape(-1, 3)
    estimate = jax.vmap(problem.linear_and_saturated)(jnp.asarray(grid))
    size = np.linalg.norm(estimate, axis=1).reshape(len(x), len(y))
    true = np.hypot(reference.values["u"][-1], reference.values["v"][-1])
    assert np.max(np.abs(size - true)) < 0.25
