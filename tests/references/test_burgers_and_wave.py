"""Closed forms and quadrature against independent methods, symmetries and invariants."""

import math

import exponax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnkit.references import burgers, wave
from pinnkit.references.burgers import cole_hopf

VISCOSITY = 0.01 / math.pi


def test_cole_hopf_agrees_with_a_spectral_solution():
    """Another method: Fourier collocation in x, ETDRK4 in time (the symbol is real)."""
    times = np.array([0.2, 0.35, 0.5])
    with jax.enable_x64(True):
        step = exponax.stepper.Burgers(1, 2.0, 2048, 5e-4, diffusivity=VISCOSITY, order=4)
        x = np.linspace(-1, 1, 2048, endpoint=False)
        states = exponax.rollout(step, 1000)(-jnp.sin(jnp.pi * x)[None])
        u = np.asarray(states)[[399, 699, 999], 0]
    exact = cole_hopf(VISCOSITY, times, x)
    assert np.linalg.norm(u - exact) < 1e-9 * np.linalg.norm(exact)


@pytest.mark.parametrize("viscosity", [0.1, VISCOSITY, 0.0006])
def test_cole_hopf_agrees_with_gauss_hermite_quadrature(viscosity):
    """The same integral by another rule: y = x - 2 sqrt(nu t) z with the weight e^(-z^2)."""
    t, x = np.array([0.01, 0.4, 1.0]), np.linspace(-1, 1, 41)
    z, weights = np.polynomial.hermite.hermgauss(300)
    for row, time in zip(cole_hopf(viscosity, t, x), t, strict=True):
        y = x[:, None] - 2 * math.sqrt(viscosity * time) * z
        exponent = -np.cos(np.pi * y) / (2 * np.pi * viscosity)
        kernel = weights * np.exp(exponent - exponent.max(axis=1, keepdims=True))
        u = -(kernel * np.sin(np.pi * y)).sum(axis=1) / kernel.sum(axis=1)
        np.testing.assert_allclose(row, u, atol=1e-11)


@pytest.mark.parametrize("viscosity", [1.0, 0.1, 1e-3, 1e-5])
def test_any_viscosity_gets_the_nodes_it_needs(viscosity):
    reference = burgers(viscosity, n_t=6, n_x=33)
    assert reference.error_estimate < 1e-9
    u = reference.values["u"]
    assert np.abs(u).max() <= 1 and np.allclose(u, -u[:, ::-1], atol=1e-12)


def test_burgers_reference():
    reference = burgers()
    u = reference.values["u"]
    assert reference.error_estimate < 1e-9
    assert u.shape == (101, 513)
    np.testing.assert_allclose(u[0], -np.sin(np.pi * reference.axes["x"]), atol=1e-15)
    np.testing.assert_allclose(u, -u[:, ::-1], atol=1e-12)
    np.testing.assert_allclose(u[:, 0], u[:, -1], atol=1e-12)


def test_burgers_says_how_many_nodes_would_suffice():
    with pytest.raises(
        ValueError, match=r"with 60 nodes has an error of .*: pass nodes=\d+"
    ) as error:
        burgers(nodes=60, n_t=6, n_x=33)
    nodes = int(str(error.value).rpartition("=")[2])
    assert burgers(nodes=nodes, n_t=6, n_x=33).error_estimate < 1e-9
    with pytest.raises(ValueError, match="viscosity must be positive"):
        burgers(viscosity=0.0)


def test_wave_conserves_energy_and_starts_at_rest():
    n = 401
    reference = wave(speed=2.0, n_t=n, n_x=n)
    u, h = reference.values["u"], 1 / (n - 1)
    u_t, u_x = np.gradient(u, h, h, edge_order=2)
    energy = np.trapezoid(u_t**2 + 4 * u_x**2, dx=h, axis=1)[1:-1]
    assert np.ptp(energy) < 5e-3 * energy.mean()
    np.testing.assert_allclose(u[:, [0, -1]], 0, atol=1e-14)
    np.testing.assert_allclose((u[1] - u[0]) / h, 0, atol=0.5)
    with pytest.raises(ValueError, match="speed must be positive"):
        wave(speed=-1.0)
