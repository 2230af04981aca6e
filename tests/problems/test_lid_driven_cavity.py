"""The cavity's equations against an exact flow and against the reference; its conditions."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pinnkit
from pinnkit.problems.lid_driven_cavity import LidDrivenCavity
from pinnkit.references.lid_driven_cavity import Cavity, lid_driven_cavity

TERMS = ("momentum_x", "momentum_y", "continuity")


@pytest.mark.parametrize("reynolds", [1, 40.0, 5000.0])
def test_kovasznay_flow_satisfies_the_equations(reynolds):
    """An exact steady flow (Kovasznay 1948, Proc. Camb. Phil. Soc. 44, 58)."""
    rate = reynolds / 2 - math.sqrt(reynolds**2 / 4 + 4 * math.pi**2)

    def flow(point):
        x, y = point
        decay, phase = jnp.exp(rate * x), 2 * jnp.pi * y
        u = 1 - decay * jnp.cos(phase)
        v = rate / (2 * jnp.pi) * decay * jnp.sin(phase)
        return jnp.stack([u, v, -(decay**2) / 2])

    with jax.enable_x64(True):
        problem = LidDrivenCavity(reynolds=reynolds)
        points = jnp.asarray(np.random.default_rng(0).random((50, 2)))
        residual = jax.vmap(lambda z: problem.residual(problem.field(flow), z))(points)
    assert set(residual) == set(TERMS)
    for term in TERMS:
        np.testing.assert_allclose(residual[term], 0, atol=1e-11)


def residual_of_values(problem, sample, spacing):
    """Largest residual of polynomials of degree 4 through 5 x 5 values, at their centres."""
    offsets = spacing * np.arange(-2, 3)
    to_powers = np.linalg.inv(np.vander(offsets, increasing=True))
    centres = np.linspace(0.2, 0.8, 7)

    def polynomial(coefficients, centre):
        def function(point):
            (x, y), powers = point - centre, range(5)
            return sum(
                coefficients[:, i, j] * x**i * y**j for i, j in itertools.product(powers, powers)
            )

        return problem.field(function)

    def at(coefficients, centre):
        return problem.residual(polynomial(coefficients, centre), centre)

    patches, places = [], []
    for x, y in itertools.product(centres, centres):
        values = sample(x + offsets, y + offsets)
        patches.append([to_powers @ values[name] @ to_powers.T for name in "uvp"])
        places.append((x, y))
    with jax.enable_x64(True):
        residual = jax.vmap(at)(jnp.asarray(patches), jnp.asarray(places))
    return {term: float(np.abs(value).max()) for term, value in residual.items()}


def test_reference_satisfies_the_equations():
    """The residual of polynomials through the flow falls with the fourth power of h."""
    cavity = Cavity(10)
    flow = cavity.newton(cavity.at_rest(), 100.0)

    def sample(x, y):
        return cavity.sample(flow, x, y)

    problem = LidDrivenCavity(reynolds=100.0)
    coarse, fine = (residual_of_values(problem, sample, h) for h in (1 / 16, 1 / 32))
    for term in TERMS:
        assert fine[term] < coarse[term] / 8
        assert fine[term] < 3e-3
    wrong = residual_of_values(LidDrivenCavity(reynolds=150.0), sample, 1 / 32)
    assert wrong["momentum_x"] > 10 * fine["momentum_x"]
    assert wrong["momentum_y"] > 10 * fine["momentum_y"]


def test_reference_satisfies_the_conditions():
    """Lid and bottom as the problem states them, on the grid of the reference, which leaves out the
    side walls."""
    problem = LidDrivenCavity()
    reference = problem.reference()
    faces = {
        "lid": (slice(None), -1),
        "bottom": (slice(None), 0),
    }
    for condition in problem.conditions():
        if condition.name not in faces:
            continue
        values = [np.asarray(reference.values[n][faces[condition.name]]).ravel() for n in "uvp"]
        for value in np.stack(values, axis=-1):
            field = problem.field(lambda point, value=value: jnp.asarray(value) + 0 * point[0])
            rows = condition.residual(field, jnp.asarray([0.5, 0.5]))
            assert rows.shape == (2,)
            np.testing.assert_allclose(rows, 0, atol=reference.error_estimate)
    assert {c.name: c.at for c in problem.conditions()} == {
        "lid": {"y": (1.0,)},
        "sides": {"x": (0.0, 1.0)},
        "bottom": {"y": (0.0,)},
    }


def test_reynolds_number_reaches_the_reference():
    expected = lid_driven_cavity(100)
    got = LidDrivenCavity(reynolds=100).reference()
    for name in "uvp":
        np.testing.assert_array_equal(got.values[name], expected.values[name])


@pytest.mark.parametrize("module", [np, jnp])
def test_observables_are_velocities_and_speed(module):
    values = {"u": module.asarray([3.0, 0.0]), "v": module.asarray([-4.0, 0.0]), "p": None}
    seen = LidDrivenCavity().observables(values)
    assert list(seen) == ["u", "v", "speed"]
    np.testing.assert_allclose(seen["speed"], [5.0, 0.0])
    np.testing.assert_allclose(seen["v"], [-4.0, 0.0])
    assert all(isinstance(value, type(values["u"])) for value in seen.values())


def test_bad_reynolds_numbers():
    for value in (0.5, 5000.1, -100, float("nan")):
        with pytest.raises(ValueError, match=r"reynolds must be in \[1, 5000\]"):
            LidDrivenCavity(reynolds=value)
    with pytest.raises(TypeError, match="reynolds must be an integer or a float, got '100'"):
        LidDrivenCavity(reynolds="100")


@pytest.mark.slow
def test_a_short_run_is_measured_by_velocities_and_speed():
    error = pinnkit.solve(LidDrivenCavity(), preset="test", steps=20).relative_error()
    assert set(error) == {"u", "v", "speed"}
    assert all(0 < e < 3 for e in error.values())
