"""Allen-Cahn, Korteweg-de Vries and Kuramoto-Sivashinsky against second methods and invariants."""

import re

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from pinnkit.references import allen_cahn, korteweg_de_vries, kuramoto_sivashinsky
from pinnkit.references._periodic import grid
from pinnkit.references.allen_cahn import projected_initial_state


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


@pytest.mark.parametrize(
    ("compute", "required"),
    [(allen_cahn, 1e-6), (korteweg_de_vries, 1e-9), (kuramoto_sivashinsky, 1e-6)],
)
def test_error_estimates(compute, required):
    reference = compute()
    u = reference.values["u"]
    assert reference.error_estimate < required
    assert u.shape == (201, 513)
    np.testing.assert_allclose(u[:, 0], u[:, -1], atol=1e-12)
    assert str(reference.method) and reference.source


def test_initial_states():
    x = np.linspace(-1, 1, 513)
    np.testing.assert_array_equal(allen_cahn().values["u"][0], x**2 * np.cos(np.pi * x))
    np.testing.assert_allclose(korteweg_de_vries().values["u"][0], np.cos(np.pi * x), atol=1e-14)
    x = np.linspace(0, 2 * np.pi, 513)
    start = np.cos(x) * (1 + np.sin(x))
    np.testing.assert_allclose(kuramoto_sivashinsky().values["u"][0], start, atol=1e-14)


def test_projected_initial_state_converges_to_the_kink_as_its_coefficients_decay():
    """Coefficients fall like 1/k^2, so the largest error falls like 1/n and sits at the kink."""
    errors = []
    for points in (256, 1024):
        x = grid(-1, 1, points)
        error = np.abs(projected_initial_state(points) - x**2 * np.cos(np.pi * x))
        assert error.argmax() == 0
        errors.append(error.max())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.02)


def test_allen_cahn_agrees_with_a_chebyshev_solution():
    """Another space and another integrator: by symmetry half the period with u_x = 0 at its ends,
    Chebyshev collocation, implicit Runge-Kutta (Radau IIA)."""
    n, times = 160, np.array([0.1, 0.3])
    nodes = np.cos(np.pi * np.arange(n + 1) / n)
    to_coefficients = np.linalg.inv(np.polynomial.chebyshev.chebvander(nodes, n))
    slope = np.polynomial.chebyshev.chebder(to_coefficients) * 2  # of the map of [0, 1] to [-1, 1]
    slope = np.polynomial.chebyshev.chebvander(nodes, n - 1) @ slope
    inside = (np.abs(nodes) < 1)[:, None]
    laplacian, x = slope @ (inside * slope), (nodes + 1) / 2
    result = solve_ivp(
        lambda t, u: 1e-4 * laplacian @ u + 5 * (u - u**3),
        (0, times[-1]),
        x**2 * np.cos(np.pi * x),
        method="Radau",
        jac=lambda t, u: 1e-4 * laplacian + np.diag(5 - 15 * u**2),
        t_eval=times,
        rtol=1e-9,
        atol=1e-11,
    )
    at = np.polynomial.chebyshev.chebvander(np.linspace(-1, 1, 257), n) @ to_coefficients
    assert relative((at @ result.y).T, allen_cahn().values["u"][[20, 60], 256:]) < 1e-7


def second_method(linear, advection, start, half_period, times):
    """u_t = L u - a u u_x by matrices on equally spaced points and Radau IIA steps.

    Args:
        linear: symbol of L as a function of i k.
        start: initial state on the points.
        half_period: of x.
    """
    n = len(start)
    ik = 1j * np.pi / half_period * np.fft.fftfreq(n, 1 / n)
    ik[n // 2] = 0

    def matrix(symbol):
        return np.fft.ifft(symbol[:, None] * np.fft.fft(np.eye(n), axis=0), axis=0).real

    derivative, stiff = matrix(ik), matrix(linear(ik))
    result = solve_ivp(
        lambda t, u: stiff @ u - advection / 2 * derivative @ u**2,
        (0, times[-1]),
        start,
        method="Radau",
        jac=lambda t, u: stiff - advection * derivative * u,
        t_eval=times,
        rtol=1e-11,
        atol=1e-12,
    )
    return result.y.T


def test_korteweg_de_vries_agrees_with_an_implicit_method():
    times = np.array([0.2, 0.4])
    x = grid(-1, 1, 256)
    u = second_method(lambda ik: -(0.022**2) * ik**3, 1.0, np.cos(np.pi * x), 1.0, times)
    assert relative(u, korteweg_de_vries().values["u"][[40, 80], :-1:2]) < 1e-6


def test_kuramoto_sivashinsky_agrees_with_an_implicit_method():
    times = np.array([0.4, 1.0])
    x = grid(0, 2 * np.pi, 256)
    u = second_method(
        lambda ik: -100 / 16**2 * ik**2 - 100 / 16**4 * ik**4,
        100 / 16,
        np.cos(x) * (1 + np.sin(x)),
        np.pi,
        times,
    )
    early, late = map(relative, u, kuramoto_sivashinsky().values["u"][[80, 200], :-1:2])
    assert early < 1e-8
    assert late < 1e-6


def test_korteweg_de_vries_keeps_mass_momentum_and_energy():
    u = korteweg_de_vries().values["u"][:, :-1]
    slope = np.fft.irfft(1j * np.pi * np.arange(257) * np.fft.rfft(u), 512)
    invariants = {
        "mass": u.mean(axis=1),
        "momentum": (u**2).mean(axis=1),
        "energy": (u**3 / 3 - 0.022**2 * slope**2).mean(axis=1),
    }
    for name, values in invariants.items():
        assert np.ptp(values) < 1e-9, name
    assert abs((u**3).mean(axis=1)).max() > 1e-2  # one that is not kept


def test_symmetries_and_means():
    u = allen_cahn().values["u"]
    np.testing.assert_allclose(u, u[:, ::-1], atol=1e-11)
    mean = kuramoto_sivashinsky().values["u"][:, :-1].mean(axis=1)
    np.testing.assert_allclose(mean, 0, atol=1e-12)


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (
            lambda: allen_cahn(1e-6, n_t=11, n_x=65, points=1024, steps=200),
            r"Allen-Cahn at diffusion 1e-06: with 1024 points and 200 steps the error is about "
            r".*, more than the 1e-06 that a reference may have: pass points=(\d+) and steps=",
        ),
        (
            lambda: korteweg_de_vries(0.01, n_t=11, n_x=65, points=256, tolerance=1e-8),
            r"with 256 points the error is about .* pass points=(\d+)",
        ),
        (
            lambda: kuramoto_sivashinsky(n_t=11, n_x=65, points=128, steps=500),
            r"with 128 points and 500 steps .* pass points=(\d+) and steps=",
        ),
    ],
)
def test_too_coarse_a_resolution_is_refused_with_advice(compute, message):
    with pytest.raises(ValueError, match=message):
        compute()


def test_the_advice_is_followed_with_success():
    options = {"n_t": 11, "n_x": 65, "tolerance": 1e-8}
    with pytest.raises(ValueError, match=r"pass points=") as error:
        korteweg_de_vries(0.022, points=128, **options)
    points = int(re.search(r"pass points=(\d+)", str(error.value))[1])
    assert korteweg_de_vries(0.022, points=points, **options).error_estimate < 1e-6


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda: allen_cahn(0.0), "diffusion must be positive and reaction >= 0, got 0.0 and 5.0"),
        (lambda: korteweg_de_vries(-1.0), "dispersion must be positive, got -1.0"),
        (lambda: kuramoto_sivashinsky(damping=0.0), "growth and damping must be positive"),
        (lambda: kuramoto_sivashinsky(n_t=11, steps=64), "steps must be a multiple of the 10"),
        (
            lambda: allen_cahn(n_t=11, n_x=100, points=4096, steps=200),
            "4096 points cannot be thinned to 100",
        ),
    ],
)
def test_bad_input(compute, message):
    with pytest.raises(ValueError, match=message):
        compute()
