"""The residual on a resolved flow, and the initial state at any point."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnkit import references
from pinnkit.problems import kolmogorov_flow as module
from pinnkit.problems.kolmogorov_flow import KolmogorovFlow
from pinnkit.references._periodic import grid, with_end
from pinnkit.references._reference import Reference
from pinnkit.references.kolmogorov_flow import BAND, band_limited, random_vorticity, solve, velocity

REYNOLDS = 500.0
CENTRAL = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0, 4 / 5, -1 / 5, 4 / 105, -1 / 280])


def size(values):
    return np.sqrt(np.mean(np.square(values), axis=0))


@pytest.fixture(scope="module")
def flow():
    """Derivatives of (u, v, w) at one time on a grid: arrays of shape (points, 3) by name."""
    n, h = 96, 0.002
    times = np.arange(9) * h
    w = solve(REYNOLDS, random_vorticity(n, modes=6), times, 320)[:, 0]
    fields = np.concatenate([velocity(w), w[None]])
    now, k = fields[:, 4], np.fft.fftfreq(n, 1 / n)
    derivative = {"": now, "t": np.tensordot(CENTRAL, fields, (0, 1)) / h}
    for name, wave in (("x", k[:, None]), ("y", k)):
        for order in (1, 2):
            symbol = (2j * np.pi * wave) ** order
            derivative[name * order] = np.fft.ifft2(symbol * np.fft.fft2(now)).real
    points = np.meshgrid([times[4]], grid(0, 1, n), grid(0, 1, n), indexing="ij")
    thin = slice(None, None, 37)
    return (
        np.stack([p.ravel() for p in points], axis=1)[thin],
        {name: d.reshape(3, -1).T[thin] for name, d in derivative.items()},
    )


def residuals(problem, flow):
    def at_a_point(point, d):
        def polynomial(p):
            t, x, y = p - point
            return (
                d[""]
                + d["t"] * t
                + (d["x"] * x + d["xx"] * x**2 / 2)
                + (d["y"] * y + d["yy"] * y**2 / 2)
            )

        return problem.residual(problem.field(polynomial), point)

    with jax.enable_x64(True):
        return jax.jit(jax.vmap(at_a_point))(*jax.tree.map(jnp.asarray, flow))


def test_the_residual_vanishes_on_a_resolved_flow(flow):
    rows = residuals(KolmogorovFlow(reynolds=REYNOLDS), flow)
    _, derivative = flow
    assert set(rows) == {"transport", "continuity", "vorticity"}
    assert size(rows["transport"]) < 1e-6 * size(derivative["t"])[2]
    assert size(rows["continuity"]) < 1e-10 * size(derivative["x"])[0]
    assert size(rows["vorticity"]) < 1e-10 * size(derivative[""])[2]


def test_the_residual_tells_one_reynolds_number_from_another(flow):
    rows = residuals(KolmogorovFlow(reynolds=1.01 * REYNOLDS), flow)
    assert size(rows["transport"]) > 1e-4 * size(flow[1]["t"])[2]


@pytest.fixture
def start(monkeypatch):
    """A known initial state in place of the reference's."""
    w = band_limited(random_vorticity(4 * BAND, modes=BAND), 96)
    fields = {"u": velocity(w)[0], "v": velocity(w)[1], "w": w}
    values = {name: with_end(np.stack([f, f]), 97, (1, 2)) for name, f in fields.items()}
    x = np.linspace(0, 1, 97)
    known = Reference({"t": np.array([0, 1.0]), "x": x, "y": x}, values, 1e-5, "made up", "a test")
    monkeypatch.setattr(references, "kolmogorov_flow", lambda reynolds: known)
    module._initial_coefficients.cache_clear()
    yield w
    module._initial_coefficients.cache_clear()


@pytest.mark.parametrize(("x64", "tolerance"), [(True, 1e-12), (False, 1e-4)])
def test_the_initial_state_is_known_at_every_point(start, x64, tolerance):
    n = 160  # points that the reference does not have
    w = band_limited(start, n)
    expected = np.stack([*velocity(w), w], axis=-1)[::20, ::8].reshape(-1, 3)
    x, y = (a.ravel() for a in np.meshgrid(grid(0, 1, n)[::20], grid(0, 1, n)[::8], indexing="ij"))
    with jax.enable_x64(x64):
        dtype = jnp.float64 if x64 else jnp.float32
        points = jnp.asarray(np.stack([0 * x, x, y], axis=1), dtype)
        values = jax.jit(jax.vmap(KolmogorovFlow().initial))(points)
    assert values.dtype == dtype
    assert (size(np.asarray(values) - expected) < tolerance * size(expected)).all()


def test_the_initial_condition_vanishes_on_the_initial_state_alone(start):
    problem = KolmogorovFlow()
    (condition,) = problem.conditions()
    assert condition.at == {"t": (0.0,)}
    point = jnp.asarray([0.0, 0.3, 0.9])
    np.testing.assert_array_equal(condition.residual(problem.field(problem.initial), point), 0)
    shifted = problem.field(lambda p: problem.initial(p) + jnp.asarray([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(condition.residual(shifted, point), [1, 2, 3], rtol=1e-4)


def test_the_reynolds_number_must_be_positive():
    with pytest.raises(ValueError, match="reynolds must be positive"):
        KolmogorovFlow(reynolds=-1.0)
