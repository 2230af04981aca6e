"""Kolmogorov flow: incompressible Navier-Stokes on the unit square, periodic, driven by a shear.

    u_t + u u_x + v u_y = -p_x + lap u / Re + 2 sin(4 pi y),    u_x + v_y = 0,
    v_t + u v_x + v v_y = -p_y + lap v / Re

With box side and unit velocity as scales the viscosity is 1/Re. For the vorticity w = v_x - u_y,

    w_t + u w_x + v w_y = lap w / Re - 8 pi cos(4 pi y),    u = psi_y, v = -psi_x, lap psi = -w,

by Fourier collocation, advection in divergence form, and ETDRK4. The mean velocity is zero.

The start is a random state of modes |k| <= 8 that has evolved for SPIN_UP time units on a coarse
grid and is then cut to the modes |k| <= BAND, which the grid of the reference resolves: the state
at t = 0 is known everywhere. Energy keeps growing, as nothing but viscosity brakes large eddies.

At Re = 10^4 a small error grows by e in about 0.7 time units: threefold to tenfold over t in
[0, 1], where the flow is predictable; on grids of 128 and 192 points from 10^-10 to 10^-4 in 8 to
10 time units, to 0.1 in 16, and from 10^-4 to order one in 7.
"""

from __future__ import annotations

import math
import time

import jax.numpy as jnp
import numpy as np

from pinnkit.references._cache import cached
from pinnkit.references._periodic import evolve, grid, with_end
from pinnkit.references._reference import Reference
from pinnkit.references._resolution import two_resolutions

VERSION = 1
ACCEPTED_ERROR = 1e-4
FORCING = 2.0
T_END = 1.0
BAND = 32
SPIN_UP = 4.0
SPIN_UP_POINTS = 128
SPIN_UP_STEPS = 4000
SEED = 0


def kolmogorov_flow(
    reynolds: float = 1e4, *, n_t: int = 17, n_x: int = 97, points: int = 768, steps: int = 3200
) -> Reference:
    """Reference solution of the Kolmogorov flow on t in [0, 1], x and y in [0, 1].

    Args:
        reynolds: Re > 0.
        n_t: number of times.
        n_x: number of positions along x and along y, at least 67; both ends are included.
        points: Fourier collocation points per axis, a multiple of 2 (n_x - 1).
        steps: ETDRK4 steps, a multiple of 2 (n_t - 1).

    Returns:
        Values of "u", "v" and "w" with shape (n_t, n_x, n_x); dimensionless. The error estimate
        is the difference of the vorticity, the roughest of the three, to half the points and half
        the steps.

    Raises:
        ValueError: a number is out of range, or the resolution does not suffice: an error
            above 1e-4, with the resolution that would do.
    """
    if not reynolds > 0:
        raise ValueError(f"reynolds must be positive, got {reynolds!r}")
    if not n_x > 2 * BAND + 2:
        raise ValueError(
            f"n_x must be at least {2 * BAND + 3}, to hold the initial state's {BAND} modes, "
            f"got {n_x!r}"
        )
    parameters = {
        "reynolds": float(reynolds),
        "n_t": n_t,
        "n_x": n_x,
        "points": points,
        "steps": steps,
    }
    return cached("kolmogorov_flow", VERSION, parameters, lambda: _compute(**parameters))


def solve(reynolds, vorticity, times, steps, *, forcing=FORCING, label="Kolmogorov") -> np.ndarray:
    """Vorticity at the given times from an initial one of shape (points, points).

    Args:
        forcing: amplitude of the force forcing * sin(4 pi y) along x.

    Returns:
        Shape (n_t, 1, points, points).
    """

    def symbol(derivative):
        return jnp.sum(derivative**2, axis=0, keepdims=True).real / reynolds

    def advected_and_driven(space, coefficients):
        (w,), (d_x, d_y) = coefficients, space.derivative
        psi = -w / jnp.where(d_x**2 + d_y**2 == 0, 1, d_x**2 + d_y**2)
        u, v, w = space.ifft(jnp.stack([d_y * psi, -d_x * psi, w]))
        y = jnp.arange(w.shape[1]) / w.shape[1]
        curl = jnp.broadcast_to(-4 * jnp.pi * forcing * jnp.cos(4 * jnp.pi * y), w.shape)
        flux_x, flux_y, curl = space.fft(jnp.stack([u * w, v * w, curl]))
        return (curl - d_x * flux_x - d_y * flux_y)[None]

    return evolve(
        symbol,
        advected_and_driven,
        vorticity[None],
        times,
        extent=1.0,
        steps=steps,
        dealiasing=2 / 3,
        label=f"reference: {label}",
    )


def velocity(vorticity: np.ndarray) -> np.ndarray:
    """(u, v) without mean from the vorticity, shape (..., n, n): shape (2, ..., n, n)."""
    n = vorticity.shape[-1]
    d_x, d_y = _derivatives(n)
    laplacian = d_x**2 + d_y**2
    laplacian[0, 0] = 1
    psi = -np.fft.rfft2(vorticity) / laplacian
    return np.fft.irfft2(np.stack([d_y * psi, -d_x * psi]), (n, n))


def coefficients(values: np.ndarray) -> np.ndarray:
    """Fourier coefficients c of a band-limited state with values of shape (..., n, n), n > 2 BAND.

    The state is the real part of sum c[..., k, l] exp(2 pi i ((k - BAND) x + l y)).

    Returns:
        Complex, shape (..., 2 BAND + 1, BAND + 1).
    """
    n = values.shape[-1]
    every = np.fft.rfft2(values) / n**2
    band = every[..., np.arange(-BAND, BAND + 1), : BAND + 1]
    return band * np.where(np.arange(BAND + 1) == 0, 1, 2)


def initial_vorticity(reynolds: float, points: int) -> np.ndarray:
    """Vorticity at t = 0 on points x points, which must be more than 2 BAND + 1 along each axis."""
    spun_up = solve(
        reynolds, random_vorticity(SPIN_UP_POINTS), [0.0, SPIN_UP], SPIN_UP_STEPS, label="spin-up"
    )[-1, 0]
    return band_limited(spun_up, points)


def random_vorticity(points: int, modes: int = 8, seed: int = SEED) -> np.ndarray:
    """Equal normal amplitudes in the modes 0 < |k| <= modes, of root mean square velocity 1."""
    k = np.arange(-modes, modes + 1)
    normal = np.random.default_rng(seed).normal(size=(2, len(k), len(k)))
    length = np.hypot(k[:, None], k)
    amplitude = (normal[0] + 1j * normal[1]) * ((length > 0) & (length <= modes))
    waves = np.exp(2j * np.pi * grid(0, 1, points)[:, None] * k)
    vorticity = (waves @ amplitude @ waves.T).real
    u, v = velocity(vorticity)
    return vorticity / math.sqrt(np.mean(u**2 + v**2))


def band_limited(values: np.ndarray, points: int) -> np.ndarray:
    """The modes |k| <= BAND of a periodic function, on points x points."""
    x = grid(0, 1, points)
    k, l = np.arange(-BAND, BAND + 1), np.arange(BAND + 1)  # noqa: E741
    c = coefficients(values) * (np.hypot(k[:, None], l) <= BAND)
    return (np.exp(2j * np.pi * np.outer(x, k)) @ c @ np.exp(2j * np.pi * np.outer(l, x))).real


def _derivatives(n: int) -> tuple[np.ndarray, np.ndarray]:
    return 2j * np.pi * np.fft.fftfreq(n, 1 / n)[:, None], 2j * np.pi * np.arange(n // 2 + 1)


def _compute(reynolds, n_t, n_x, points, steps) -> Reference:
    started = time.perf_counter()
    t, x = np.linspace(0, T_END, n_t), np.linspace(0, 1, n_x)
    start = initial_vorticity(reynolds, n_x - 1)
    states, estimate = two_resolutions(
        lambda points, steps: solve(reynolds, band_limited(start, points), t, steps),
        points=points,
        steps=steps,
        accepted=ACCEPTED_ERROR,
        what=f"Kolmogorov flow at Reynolds number {reynolds:g}",
    )
    w = states[:, 0]
    u, v, w = (with_end(values, n_x, axes=(1, 2)) for values in (*velocity(w), w))
    return Reference(
        axes={"t": t, "x": x, "y": x},
        values={"u": u, "v": v, "w": w},
        error_estimate=estimate,
        method=f"vorticity, Fourier on {points} x {points} points, {steps} ETDRK4 steps",
        source="exponax; Kassam and Trefethen 2005; forcing: Meshalkin and Sinai 1961",
        seconds=time.perf_counter() - started,
    )
