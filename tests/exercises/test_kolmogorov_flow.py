"""Stubs fail, solutions pass, and plausible mistakes are told apart."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnkit import exercises
from pinnkit.exercises import kolmogorov_flow as module
from pinnkit.problems import KolmogorovFlow
from pinnkit.references.kolmogorov_flow import velocity


def cells(shear, cells, reynolds, t, *, curl=-8 * np.pi, rate=16 * np.pi**2):
    r = rate / reynolds
    kept = np.exp(-r * t)
    return shear * kept + curl / r * (1 - kept), cells * kept


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (cells, ""),
        (lambda *g: cells(*g, curl=0), "force is missing"),
        (lambda *g: cells(*g, curl=8 * np.pi), "sign of the force"),
        (lambda a, b, R, t: (cells(a, b, R, t)[0], cells(b, b, R, t)[0]), "drives only A"),
        (lambda a, b, R, t: (cells(a, b, R, t, curl=0)[0] - 8 * np.pi * t,
                             cells(a, b, R, t)[1]), "decays, too"),
        (lambda a, b, R, t: (a - 8 * np.pi * t, b), "Viscosity is missing"),
        (lambda *g: cells(*g, rate=4 * np.pi), "The rate"),
        (lambda *g: (1.0, 1.0), "it is A = "),
        (lambda *g: None, "returns nothing"),
    ],
)  # fmt: skip
def test_exact_cells(answer, message):
    said = exercises.exact_cells.problem_with(answer)
    assert bool(said) == bool(message) and re.search(message, said)


def test_the_exact_flow_and_its_drift_have_no_residual():
    """The flow of exercises 1 and 3, by the kit's own equations."""

    def at(point, drift):
        t, x, y = point
        A, B = cells_of(t)
        x, k = x - drift * t**2, 4 * jnp.pi
        u = -A / k * jnp.sin(k * y) + 2 * drift * t
        return jnp.stack([u, B / k * jnp.sin(k * x), A * jnp.cos(k * y) + B * jnp.cos(k * x)])

    def cells_of(t):
        kept = jnp.exp(-module.DECAY * t)
        shear = module.SHEAR * kept - module.DRIVE / module.DECAY * (1 - kept)
        return shear, module.CELLS * kept

    problem = KolmogorovFlow(reynolds=module.REYNOLDS)
    with jax.enable_x64(True):
        for drift in (0.0, 0.3):
            field = problem.field(lambda p, drift=drift: at(p, drift))
            point = jnp.array([0.3, 0.2, 0.7])
            residual = jax.jit(lambda p, field=field: problem.residual(field, p))(point)
            assert all(abs(r) < 1e-10 for r in residual.values())
    with jax.enable_x64(True):
        np.testing.assert_allclose(module._still(0.3, 0.2, 0.7), at((0.3, 0.2, 0.7), 0.0), 1e-6)


def derivatives(w):
    k = 2j * np.pi * np.fft.fftfreq(len(w), 1 / len(w))
    c = np.fft.fft2(w)
    d_x, d_y = k[:, None], k[None, :]
    return [np.fft.ifft2(d * c).real for d in (d_x, d_y, d_x**2 + d_y**2)]


def slope(w, reynolds, *, carry=-1.0, force=-8 * np.pi, viscosity=1.0, turn=False, coarse=False):
    u, v = velocity(w)
    w_x, w_y, lap = derivatives(w)
    if coarse:
        h = 1 / len(w)
        w_x, w_y = ((np.roll(w, -1, i) - np.roll(w, 1, i)) / (2 * h) for i in (0, 1))
    curl = force * np.cos(4 * np.pi * np.arange(len(w)) / len(w))
    curl = curl[:, None] if turn else curl
    return carry * (u * w_x + v * w_y) + viscosity * lap / reynolds + curl


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (slope, ""),
        (lambda *g: slope(*g, carry=1), "from upstream"),
        (lambda *g: slope(*g, carry=0), "carries its vorticity"),
        (lambda *g: slope(*g, force=0), "force is missing"),
        (lambda *g: slope(*g, force=8 * np.pi), "sign of the force"),
        (lambda *g: slope(*g, force=-4 * np.pi), "another amplitude"),
        (lambda *g: slope(*g, turn=True), "depend on x"),
        (lambda *g: slope(*g, viscosity=0), "Viscosity is missing"),
        (lambda w, R: slope(w, 1.0), "is 1 / Re"),
        (lambda *g: slope(*g, viscosity=-1), "sign of viscosity"),
        (lambda *g: slope(*g, viscosity=1 / (4 * np.pi**2)), "2 pi k"),
        (lambda *g: slope(*g, coarse=True), "finite differences"),
        (lambda w, R: 0 * w, "At four points"),
        (lambda w, R: 0.0, "Expected the shape"),
        (lambda *g: None, "returns nothing"),
    ],
)
def test_first_slope(answer, message):
    said = exercises.first_slope.problem_with(answer)
    assert bool(said) == bool(message) and re.search(message, said)


def test_the_flow_of_the_second_exercise_is_one():
    f = module._flow()
    np.testing.assert_allclose(velocity(f["w"]), [f["u"], f["v"]], atol=1e-12)
    np.testing.assert_allclose(derivatives(f["w"]), [f["w_x"], f["w_y"], f["lap"]], atol=1e-9)


def drift(shift=-1.0, speed=(1, 0, 0), own=0.0):
    def drifting(flow, X, X_t):
        def moved(t, x, y):
            return (
                flow(t, x + shift * X(t), y)
                + np.array(speed) * X_t(t)
                + own * np.array([X(t), 0, 0])
            )

        return moved

    return drifting


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (drift(), ""),
        (drift(shift=0, speed=(0, 0, 0)), "Nothing drifts"),
        (drift(speed=(0, 0, 0)), "does not move with it"),
        (drift(shift=0), "stays where it was"),
        (drift(shift=1), "other way"),
        (drift(speed=(0, 0, 0), own=1), r"not the shift X\(t\)"),
        (drift(speed=(1, 1, 1)), "Only u gets the speed"),
        (drift(shift=3), "the test's flow is"),
        (lambda flow, X, X_t: flow(0.5, 0.1, 0.4), "Return a function"),
        (lambda flow, X, X_t: lambda t, x, y: None, "returns nothing"),
    ],
)
def test_unseen_drift(answer, message):
    said = exercises.unseen_drift.problem_with(answer)
    assert bool(said) == bool(message) and re.search(message, said)


def bound(start, reynolds, t, *, force=2**0.5, square=4 * np.pi**2):
    r = square / reynolds
    return start * np.exp(-r * t) + force / r * (1 - np.exp(-r * t))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (bound, ""),
        (lambda U, R, t: U + np.sqrt(2) * t, "use it"),
        (lambda *g: bound(*g, force=2.0), "not the best"),
        (lambda *g: bound(*g, square=1.0), "longest wave has 2 pi"),
        (lambda *g: bound(*g, square=2 * np.pi), "two derivatives"),
        (lambda *g: bound(*g, square=16 * np.pi**2), "not the two of the force"),
        (lambda *g: bound(*g, square=8 * np.pi**2, force=2 * np.sqrt(2)), "once more"),
        (lambda U, R, t: np.sqrt(2) * R / (4 * np.pi**2), "to infinity"),
        (lambda *g: 1.5, "but yours is 1.5"),
        (lambda *g: None, "returns nothing"),
    ],
)
def test_speed_bound(answer, message):
    said = exercises.speed_bound.problem_with(answer)
    assert bool(said) == bool(message) and re.search(message, said)
