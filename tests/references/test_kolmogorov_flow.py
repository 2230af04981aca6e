"""Kolmogorov flow: exact solutions, budgets, a second method and how long it can be predicted."""

import importlib

import numpy as np
import pytest
from scipy.integrate import cumulative_simpson, solve_ivp

from pinnkit.references._periodic import grid, with_end
from pinnkit.references.kolmogorov_flow import (
    band_limited,
    coefficients,
    initial_vorticity,
    kolmogorov_flow,
    random_vorticity,
    solve,
    velocity,
)


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def derivatives(values):
    """Along x and y, of periodic values of shape (..., n, n)."""
    n = values.shape[-1]
    k = np.fft.fftfreq(n, 1 / n)
    k[n // 2] = 0
    transform = np.fft.fft2(values)
    return [np.fft.ifft2(2j * np.pi * w * transform).real for w in (k[:, None], k)]


@pytest.mark.parametrize("modes", [(1, 1), (2, 3)])
def test_vortices_without_a_force_decay_as_taylor_and_green_found(modes):
    x = grid(0, 1, 32)
    vortices = np.sin(2 * np.pi * modes[0] * x)[:, None] * np.sin(2 * np.pi * modes[1] * x)
    times = [0.0, 0.5, 1.0]
    states = solve(50.0, vortices, times, 200, forcing=0.0)
    for t, state in zip(times, states, strict=True):
        decay = np.exp(-4 * np.pi**2 * (modes[0] ** 2 + modes[1] ** 2) * t / 50)
        np.testing.assert_allclose(state[0], decay * vortices, atol=1e-12)


def test_flow_from_rest_stays_laminar():
    """u = 2 Re / (4 pi)^2 (1 - exp(-(4 pi)^2 t / Re)) sin(4 pi y), v = 0."""
    y, times, reynolds = grid(0, 1, 32), [0.0, 0.5, 1.0], 100.0
    states = solve(reynolds, np.zeros((32, 32)), times, 100)
    for t, state in zip(times, states, strict=True):
        rate = (4 * np.pi) ** 2 / reynolds
        laminar = 2 / rate * (1 - np.exp(-rate * t)) * np.sin(4 * np.pi * y)
        u, v = velocity(state[0])
        np.testing.assert_allclose(u, np.broadcast_to(laminar, u.shape), atol=1e-12)
        np.testing.assert_allclose(v, 0, atol=1e-12)


def test_velocity_belongs_to_the_vorticity():
    w = random_vorticity(48)
    u, v = velocity(w)
    (u_x, u_y), (v_x, v_y) = derivatives(u), derivatives(v)
    np.testing.assert_allclose(u_x + v_y, 0, atol=1e-12)
    np.testing.assert_allclose(v_x - u_y, w, atol=1e-12)
    assert np.mean(u**2 + v**2) == pytest.approx(1) and abs(u.mean()) + abs(v.mean()) < 1e-14


def test_vorticity_agrees_with_the_velocity_advanced_by_another_method():
    """Momentum in advective form, pressure by projection, Dormand-Prince of order 8."""
    n, reynolds, times = 64, 1e4, [0.0, 0.15, 0.3]
    k = np.fft.fftfreq(n, 1 / n)
    kept = (np.abs(k)[:, None] <= 20) & (np.abs(k) <= 20)
    d = 2j * np.pi * np.stack(np.meshgrid(k, k, indexing="ij"))
    laplacian = np.sum(d**2, axis=0).real
    along_x = np.broadcast_to(2 * np.sin(4 * np.pi * grid(0, 1, n)), (n, n))
    force = np.stack([along_x, 0 * along_x])

    def rate(_, flat):
        transform = flat.view(complex).reshape(2, n, n)
        values = np.fft.ifft2(transform).real
        slopes = np.fft.ifft2(d[:, None] * transform).real  # slopes[i, j]: of u_j along i
        pushed = kept * np.fft.fft2(force - np.einsum("ixy,ijxy->jxy", values, slopes))
        pressure = np.sum(d * pushed, axis=0) / np.where(laplacian == 0, 1, laplacian)
        return (pushed - d * pressure + laplacian / reynolds * transform).ravel().view(float)

    w = random_vorticity(n)
    start = np.fft.fft2(velocity(w)).ravel().view(float)
    second = solve_ivp(rate, (0, 0.3), start, "DOP853", times, rtol=1e-9, atol=1e-9)
    ours = solve(reynolds, w, times, 600)[:, 0]
    for state, flat in zip(ours, second.y.T, strict=True):
        other = np.fft.ifft2(np.ascontiguousarray(flat).view(complex).reshape(2, n, n)).real
        assert relative(velocity(state), other) < 1e-7
    assert relative(ours[-1], ours[0]) > 0.5  # the flow has moved


def test_energy_and_enstrophy_are_fed_by_the_force_and_eaten_by_viscosity():
    """d/dt <u^2 + v^2>/2 = <f u> - <w^2> / Re, d/dt <w^2>/2 = <f' w> - <|grad w|^2> / Re."""
    n, reynolds, times = 96, 500.0, np.linspace(0, 0.4, 41)
    w = solve(reynolds, random_vorticity(n, modes=6), times, 400)[:, 0]
    u, v = velocity(w)
    y = grid(0, 1, n)
    mean = lambda values: values.mean(axis=(1, 2))  # noqa: E731
    w_x, w_y = derivatives(w)
    energy, enstrophy = mean(u**2 + v**2) / 2, mean(w**2) / 2
    power = mean(2 * np.sin(4 * np.pi * y) * u) - mean(w**2) / reynolds
    supply = mean(-8 * np.pi * np.cos(4 * np.pi * y) * w) - mean(w_x**2 + w_y**2) / reynolds
    for stock, flow in ((energy, power), (enstrophy, supply)):
        gained = cumulative_simpson(flow, x=times, initial=0)
        np.testing.assert_allclose(stock - stock[0], gained, atol=1e-5 * np.abs(stock).max())


def test_moving_the_start_along_x_or_by_a_period_of_the_force_moves_the_flow():
    w = random_vorticity(48)
    end = solve(1e3, w, [0.0, 0.3], 300)[-1, 0]
    moved = solve(1e3, np.roll(w, (7, 24), axis=(0, 1)), [0.0, 0.3], 300)[-1, 0]
    np.testing.assert_allclose(moved, np.roll(end, (7, 24), axis=(0, 1)), atol=1e-8)
    askew = solve(1e3, np.roll(w, 12, axis=1), [0.0, 0.3], 300)[-1, 0]
    assert relative(askew, np.roll(end, 12, axis=1)) > 0.1


def test_band_limited_states_are_known_on_every_grid():
    x = grid(0, 1, 80)
    rough = np.cos(2 * np.pi * (30 * x[:, None] - 5 * x)) + np.cos(2 * np.pi * 39 * x)
    smooth = np.cos(2 * np.pi * (30 * x[:, None] - 5 * x))
    np.testing.assert_allclose(band_limited(rough, 80), smooth, atol=1e-12)
    np.testing.assert_allclose(band_limited(rough, 240)[::3, ::3], smooth, atol=1e-12)
    c = coefficients(np.broadcast_to(1 + np.sin(2 * np.pi * 3 * x), (80, 80)))
    expected = np.zeros((65, 33), complex)
    expected[32, 0], expected[32, 3] = 1, -1j
    np.testing.assert_allclose(c, expected, atol=1e-14)


@pytest.mark.slow
def test_a_small_error_grows_less_than_a_hundredfold_in_the_window():
    """A coarse version: over t in [0, 1] a relative error of 1e-10 grows, to less than 1e-8."""
    start = initial_vorticity(1e4, 128)
    noise = random_vorticity(128, seed=1)
    disturbed = start + 1e-10 * np.linalg.norm(start) / np.linalg.norm(noise) * noise
    one, other = (solve(1e4, w, [0.0, 1.0], 800)[-1, 0] for w in (start, disturbed))
    assert 1e-10 < relative(one, other) < 1e-8


@pytest.mark.slow
def test_kolmogorov_flow_reference():
    reference = kolmogorov_flow()
    assert reference.error_estimate < 1e-4
    u, v, w = (reference.values[name] for name in "uvw")
    assert u.shape == v.shape == w.shape == (17, 97, 97)
    np.testing.assert_allclose(u[:, 0], u[:, -1], atol=1e-12)
    np.testing.assert_allclose(w[:, :, 0], w[:, :, -1], atol=1e-12)
    assert relative(velocity(w[0, :-1, :-1]), np.stack([u, v])[:, 0, :-1, :-1]) < 1e-4
    start = band_limited(w[0, :-1, :-1], 192)
    coarse = solve(1e4, start, [0.0, 0.25, 0.5], 400)[:, 0]
    for ours, public in zip((coarse, *velocity(coarse)), (w, u, v), strict=True):
        assert relative(with_end(ours, 97, axes=(1, 2)), public[[0, 4, 8]]) < 1e-2


def test_the_reference_refuses_what_it_cannot_do(monkeypatch):
    module = importlib.import_module("pinnkit.references.kolmogorov_flow")
    monkeypatch.setattr(module, "SPIN_UP", 0.2)
    monkeypatch.setattr(module, "SPIN_UP_STEPS", 200)
    with pytest.raises(ValueError, match=r"Reynolds number 10000: with 192 points and 800 steps"):
        kolmogorov_flow(n_t=3, points=192, steps=800)
    with pytest.raises(ValueError, match="n_x must be at least 67, .* got 65"):
        kolmogorov_flow(n_x=65)
    with pytest.raises(ValueError, match="reynolds must be positive, got 0"):
        kolmogorov_flow(reynolds=0.0)
