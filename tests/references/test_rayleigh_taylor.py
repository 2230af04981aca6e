"""Against linear theory and literature, budgets of heat and energy, symmetries, resolution."""

import numpy as np
import pytest
import scipy.linalg
from numpy.polynomial import chebyshev
from scipy.interpolate import CubicSpline

from pinnkit.references._stokes_modes import Layer, etdrk4
from pinnkit.references.rayleigh_taylor import (
    X,
    Y,
    evaluate,
    evolve,
    fourier_chebyshev,
    from_grid,
    on_grid,
    rayleigh_taylor,
    snapshot,
    start,
)

VISCOSITY, DIFFUSIVITY = np.sqrt(0.71 / 1e6), 1 / np.sqrt(0.71 * 1e6)


@pytest.fixture(scope="module")
def reference():
    return rayleigh_taylor()


@pytest.fixture(scope="module")
def initial():
    return snapshot(1e6, 0.71)


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """Nothing that was computed before is used."""
    monkeypatch.setenv("PINNKIT_CACHE", str(tmp_path))
    monkeypatch.setattr("pinnkit.references._cache.SHIPPED", tmp_path / "none")


# Instability


def growth_rate_by_finite_differences(base_slope, k: float, n: int) -> float:
    """Of exp(i k x + sigma t) on a base T(y): (D^2 - k^2) psi and T on n + 1 intervals.

    With stream function i psi: sigma Lap psi = nu Lap^2 psi - k T and
    sigma T = kappa Lap T - k T_base' psi.
    """
    h = 2 / (n + 1)
    y = h * np.arange(1, n + 1)
    second = (np.eye(n, k=1) + np.eye(n, k=-1) - 2 * np.eye(n)) / h**2
    fourth = second @ second
    fourth[0, 0] += 2 / h**4  # psi_y = 0: psi has equal values on both sides of the wall
    fourth[-1, -1] += 2 / h**4
    laplacian = second - k**2 * np.eye(n)
    bilaplacian = fourth - 2 * k**2 * second + k**4 * np.eye(n)
    left = scipy.linalg.block_diag(laplacian, np.eye(n))
    right = np.block(
        [
            [VISCOSITY * bilaplacian, -k * np.eye(n)],
            [-k * np.diag(base_slope(y)), DIFFUSIVITY * laplacian],
        ]
    )
    return np.linalg.eigvals(np.linalg.solve(left, right)).real.max()


def test_a_tiny_perturbation_grows_at_the_rate_of_linear_theory():
    """On a base temperature that is held fixed; finite differences of two steps, extrapolated."""

    def base(y):
        return -np.sin(np.pi * y / 2) * np.tanh(5 * (y - 1)) / 2

    def slope(y):
        tanh = np.tanh(5 * (y - 1))
        rise = np.pi / 2 * np.cos(np.pi * y / 2) * tanh
        return -(rise + 5 * np.sin(np.pi * y / 2) * (1 - tanh**2)) / 2

    coarse, fine = (growth_rate_by_finite_differences(slope, 2 * np.pi, n) for n in (99, 199))
    theory = fine + (fine - coarse) / 3
    assert abs(fine - coarse) < 0.01 * theory

    layer = Layer(3, 64, VISCOSITY, DIFFUSIVITY)
    x, y = layer.x[:, None], layer.s + 1
    still = np.zeros((len(x), len(y)))
    at_rest = layer.state(np.stack([still, still, base(y) + still]))
    bump = layer.state(
        np.stack([still, still, 1e-10 * np.cos(2 * np.pi * x) * np.sin(np.pi * y / 2)])
    )
    stepper = etdrk4(
        lambda state: layer.nonlinear(at_rest + state) - layer.nonlinear(at_rest),
        layer.decay,
        bump,
        0.05,
    )
    sizes = [np.linalg.norm(next(stepper)) for _ in range(240)]
    assert sizes[-1] < 1e-3
    assert np.log(sizes[-1] / sizes[-41]) / 2 == pytest.approx(theory, rel=1e-4)


# Budgets


def derivative_x(f):
    wavenumbers = 2j * np.pi * np.arange(33)
    wavenumbers[-1] = 0
    f_x = np.fft.irfft(wavenumbers[:, None] * np.fft.rfft(f[..., :-1, :], axis=-2), 64, axis=-2)
    return np.concatenate([f_x, f_x[..., :1, :]], axis=-2)


def derivative_y(f):
    interpolate = np.linalg.inv(chebyshev.chebvander(Y - 1, len(Y) - 1))
    differentiate = chebyshev.chebvander(Y - 1, len(Y) - 2) @ chebyshev.chebder(np.eye(len(Y)))
    return f @ (differentiate @ interpolate).T


def integral_y(f, low=0.0, high=2.0):
    interpolate = np.linalg.inv(chebyshev.chebvander(Y - 1, len(Y) - 1))
    antiderivatives = chebyshev.chebint(np.eye(len(Y)))
    ends = chebyshev.chebvander(np.array([low, high]) - 1, len(Y))
    return f @ ((ends[1] - ends[0]) @ antiderivatives @ interpolate)


def mean_x(f):
    """The mean over x of values whose axis of x is the second."""
    return f[:, :-1].mean(axis=1)


def assert_budget(times, content, gain, tolerance):
    """The content changes by what is gained: both as functions of time."""
    gained = CubicSpline(times, gain).antiderivative()
    np.testing.assert_allclose(
        content - content[0], gained(times) - gained(times[0]), atol=tolerance * np.ptp(content)
    )


def test_reference_keeps_its_budget_of_kinetic_energy(reference):
    u, v, temperature = (reference.values[name] for name in ("u", "v", "T"))
    squares = sum(d(f) ** 2 for d in (derivative_x, derivative_y) for f in (u, v))
    work, dissipation = (integral_y(mean_x(f)) for f in (v * temperature, squares))
    assert VISCOSITY * dissipation.max() > 0.05 * work.max()
    energy = integral_y(mean_x(u**2 + v**2)) / 2
    assert_budget(reference.axes["t"], energy, work - VISCOSITY * dissipation, 1e-4)


def test_reference_keeps_its_budget_of_temperature_variance(reference):
    temperature = reference.values["T"]
    squares = derivative_x(temperature) ** 2 + derivative_y(temperature) ** 2
    variance = integral_y(mean_x(temperature**2)) / 2
    loss = DIFFUSIVITY * integral_y(mean_x(squares))
    assert_budget(reference.axes["t"], variance, -loss, 3e-4)


def test_reference_keeps_its_budget_of_heat_below_mid_height(reference):
    """Convected and conducted through y = 1, conducted into the wall."""
    middle = len(Y) // 2
    assert Y[middle] == pytest.approx(1.0, abs=1e-15)
    v, temperature = reference.values["v"], reference.values["T"]
    heat = integral_y(mean_x(temperature), high=1.0)
    conducted = DIFFUSIVITY * mean_x(derivative_y(temperature))
    convected = mean_x(v * temperature)[:, middle]
    assert_budget(
        reference.axes["t"], heat, conducted[:, middle] - conducted[:, 0] - convected, 1e-4
    )


def test_heat_leaves_through_the_walls_only(initial):
    """A state that is not symmetric about mid-height, so that its mean temperature is not 0."""
    layer = Layer(16, 64, VISCOSITY, DIFFUSIVITY)
    lopsided = initial.copy()
    lopsided[2] += Y * (2 - Y) / 4 * (1 + np.sin(2 * np.pi * X[:, None]))
    times = np.linspace(0, 0.5, 11)
    states = evolve(layer, from_grid(layer, lopsided), times, 2)
    slope = mean_x(derivative_y(states[:, 2]))
    heat = integral_y(mean_x(states[:, 2]))
    assert np.ptp(heat) > 1e-4
    assert_budget(times, heat, DIFFUSIVITY * (slope[:, -1] - slope[:, 0]), 1e-3)


def test_reference_is_free_of_divergence(reference):
    u_x, v_y = derivative_x(reference.values["u"]), derivative_y(reference.values["v"])
    assert np.linalg.norm(u_x + v_y) < 1e-3 * np.linalg.norm(u_x)


# The reference as a whole


def test_reference(reference):
    u, v, temperature = (reference.values[name] for name in ("u", "v", "T"))
    assert reference.error_estimate < 1e-4
    assert u.shape == (26, 65, 97)
    for f in (u, v, temperature):
        np.testing.assert_allclose(f[:, :, [0, -1]], 0, atol=1e-5)
        np.testing.assert_allclose(f[:, 0], f[:, -1], atol=1e-5)
    assert v.max(axis=(1, 2))[-1] > 4 * v.max(axis=(1, 2))[0] > 0.5
    assert np.abs(temperature).max() < 0.5


def test_reference_is_symmetric(reference):
    """Mirrored in x; and turned upside down, half a period further, with T reversed."""
    u, v, temperature = (reference.values[name] for name in ("u", "v", "T"))
    np.testing.assert_allclose(u, -u[:, ::-1], atol=1e-5)
    np.testing.assert_allclose(v, v[:, ::-1], atol=1e-5)
    np.testing.assert_allclose(temperature, temperature[:, ::-1], atol=1e-5)
    np.testing.assert_allclose(temperature[:, :33, ::-1], -temperature[:, 32:], atol=1e-5)
    np.testing.assert_allclose(u[:, :33, ::-1], u[:, 32:], atol=1e-5)


def test_a_coarse_solution_is_as_far_from_the_reference_as_it_says(reference, fresh):
    coarse = rayleigh_taylor(n_t=6, modes=18, degree=72)
    errors = coarse.relative_error({n: f[::5] for n, f in reference.values.items()})
    assert coarse.error_estimate < 1e-2
    assert 1e-6 < max(errors.values()) < coarse.error_estimate


def test_it_starts_from_what_its_first_values_interpolate(reference):
    first = np.stack([reference.values[name][0] for name in ("u", "v", "T")])
    coefficients = fourier_chebyshev(first)
    assert coefficients.shape == (3, 63, 97)
    np.testing.assert_allclose(evaluate(coefficients, X, Y), first, atol=1e-5)
    layer = Layer(31, 96, VISCOSITY, DIFFUSIVITY)
    np.testing.assert_allclose(on_grid(layer, from_grid(layer, first)), first, atol=1e-5)
    largest = np.abs(coefficients).max(axis=(1, 2))
    assert np.all(np.abs(coefficients[:, 24:32]).max(axis=(1, 2)) < 1e-5 * largest)
    assert np.all(np.abs(coefficients[:, :, 88:]).max(axis=(1, 2)) < 1e-5 * largest)


def test_the_snapshot_is_the_solution_from_rest_to_a_millionth(initial):
    """Computed with a higher degree than it holds, and all modes above rounding."""
    layer = Layer(24, 112, VISCOSITY, DIFFUSIVITY)
    temperature = start(layer.x[:, None], layer.s + 1)
    at_rest = layer.state(np.stack([0 * temperature, 0 * temperature, temperature]))
    fine = evolve(layer, at_rest, np.array([-1.5, 0.0]), 120)[-1]
    assert np.linalg.norm(fine - initial) < 1e-6 * np.linalg.norm(fine)


# Range


def test_other_physics(fresh):
    sluggish = rayleigh_taylor(rayleigh=1e4, prandtl=7.0, n_t=3, modes=12, degree=40)
    assert sluggish.error_estimate < 1e-2


@pytest.mark.parametrize("rayleigh", [0.0, -1.0, np.nan, np.inf, "1e6"])
def test_numbers_are_positive_and_finite(rayleigh):
    with pytest.raises(ValueError, match="rayleigh must be positive and finite"):
        rayleigh_taylor(rayleigh=rayleigh)
    with pytest.raises(ValueError, match="prandtl must be positive and finite"):
        rayleigh_taylor(prandtl=rayleigh)


def test_it_says_which_resolution_would_do():
    with pytest.raises(ValueError, match=r"too fine for modes=32, degree=128.* modes=\d+, degree="):
        rayleigh_taylor(rayleigh=1e8)
    with pytest.raises(ValueError, match="rayleigh must be at least 10000, got 5"):
        rayleigh_taylor(rayleigh=5)
    with pytest.raises(ValueError, match="n_t must be at least 2, got 1"):
        rayleigh_taylor(n_t=1)
    with pytest.raises(TypeError, match="modes must be an integer, got 8.5"):
        rayleigh_taylor(modes=8.5)
