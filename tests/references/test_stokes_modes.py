"""Modes of a layer between walls and the time stepper, against closed forms and literature."""

import numpy as np
import pytest

from pinnkit.references._stokes_modes import etdrk4, values, velocity_modes, wall_modes


def test_velocity_modes_are_free_of_divergence_and_vanish_at_the_walls():
    s, weights = np.polynomial.legendre.leggauss(80)
    k, degree = 7.0, 40
    rates, c_u, c_v = velocity_modes(k, degree)
    assert c_u.shape == c_v.shape == (degree + 1, degree - 3)
    u, v = values(c_u, s), values(c_v, s)
    np.testing.assert_allclose(values(c_v, s, 1), k * u, atol=1e-9 * np.abs(u).max())
    energy = u.T @ (weights[:, None] * u) + v.T @ (weights[:, None] * v)
    np.testing.assert_allclose(energy, np.eye(degree - 3), atol=1e-9)
    walls = np.array([-1.0, 1.0])
    np.testing.assert_allclose(values(c_u, walls), 0, atol=1e-10)
    np.testing.assert_allclose(values(c_v, walls), 0, atol=1e-10)
    assert np.all(rates > k**2)


def test_wall_modes_are_sines():
    rates, c = wall_modes(40)
    lowest = np.sort(rates)[:12]
    np.testing.assert_allclose(lowest, (np.arange(1, 13) * np.pi / 2) ** 2, rtol=1e-10)
    s = np.linspace(-1, 1, 21)
    first = values(c, s)[:, np.argmin(rates)]
    np.testing.assert_allclose(np.abs(first), np.cos(np.pi * s / 2), atol=1e-12)


def critical_rayleigh_number(wavenumber: float, degree: int = 30) -> float:
    """Of a layer between rigid walls, heated from below; all lengths in heights of the layer."""
    k = wavenumber / 2  # our layer is 2 high
    rates_u, _, c_v = velocity_modes(k, degree)
    rates_t, c_t = wall_modes(degree)
    s, weights = np.polynomial.legendre.leggauss(2 * degree)
    work = values(c_v, s).T @ (weights[:, None] * values(c_t, s))
    work /= np.sqrt(rates_u[:, None] * (rates_t + k**2))
    return 2**4 / np.linalg.svd(work, compute_uv=False)[0] ** 2


def test_convection_between_rigid_walls_sets_in_at_rayleigh_number_1708():
    """Ra = 1707.762 at k = 3.117 (Chandrasekhar 1961, Hydrodynamic and Hydromagnetic Stability)."""
    assert critical_rayleigh_number(3.117) == pytest.approx(1707.762, abs=2e-3)
    for k in (3.0, 3.25):
        assert critical_rayleigh_number(k) > critical_rayleigh_number(3.117) + 1


def test_etdrk4_is_of_fourth_order():
    """Logistic decay y' = -y + y^2 / 2, stiff and not."""

    def error(rate, steps):
        stepper = etdrk4(lambda y: rate * y**2 / 2, np.array([rate]), np.array([1.0]), 1 / steps)
        y = [next(stepper) for _ in range(steps)][-1]
        return abs(y[0] - 2 / (1 + np.exp(rate)))

    assert error(1.0, 16) < 1e-7
    assert error(1.0, 8) / error(1.0, 16) == pytest.approx(16, rel=0.15)
    assert error(1e-3, 1) < 1e-12
