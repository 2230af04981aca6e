"""The Korteweg-de Vries equation u_t + u u_x + d^2 u_xxx = 0 from u(0, x) = cos(pi x), period 2.

Zabusky and Kruskal's experiment (1965, Phys. Rev. Lett. 15, 240): the wave steepens and breaks
into solitons. Dispersion has an imaginary symbol, so an integrating factor takes it out exactly,

    w = e^(i d^2 (-k^3) t) u_k,    dw/dt = -e^(i d^2 (-k^3) t) (i k / 2) (u^2)_k,

and what is left is not stiff: SciPy's DOP853, an eighth-order Runge-Kutta method with error
control (Hairer, Norsett and Wanner 1993), integrates it.
"""

from __future__ import annotations

import time

import numpy as np
from scipy.integrate import solve_ivp
from tqdm.auto import tqdm

from pinnkit.references._cache import cached
from pinnkit.references._periodic import grid, with_end
from pinnkit.references._reference import Reference
from pinnkit.references._resolution import two_resolutions

VERSION = 1
ACCEPTED_ERROR = 1e-6
ABSOLUTE = 1e-3
"""Tolerance of the smallest coefficients, relative to that of a wave of amplitude 1."""


def korteweg_de_vries(
    dispersion: float = 0.022,
    *,
    n_t: int = 201,
    n_x: int = 513,
    points: int = 1024,
    tolerance: float = 1e-12,
) -> Reference:
    """Reference solution of the Korteweg-de Vries equation on t in [0, 1], x in [-1, 1].

    Args:
        dispersion: d > 0; the third derivative has the factor d^2.
        n_t: number of times.
        n_x: number of positions; both ends are included.
        points: Fourier collocation points, a multiple of n_x - 1.
        tolerance: relative, of one time step.

    Returns:
        Values of "u" with shape (n_t, n_x); dimensionless. The error estimate is the difference
        to half the points and a tolerance 100 times larger.

    Raises:
        ValueError: a number is out of range, or the resolution does not suffice: an error
            above 1e-6, with the resolution that would do.
    """
    if not dispersion > 0:
        raise ValueError(f"dispersion must be positive, got {dispersion!r}")
    parameters = {
        "dispersion": float(dispersion),
        "n_t": n_t,
        "n_x": n_x,
        "points": points,
        "tolerance": float(tolerance),
    }
    return cached("korteweg_de_vries", VERSION, parameters, lambda: _compute(**parameters))


def solve(dispersion, times, points, tolerance) -> np.ndarray:
    """States at the given times on `points` points from -1: shape (n_t, 1, points)."""
    k = np.pi * np.arange(points // 2 + 1)
    frequency = -1j * dispersion**2 * k**3
    kept = np.arange(points // 2 + 1) < points / 3

    def right_side(t, w):
        rotation = np.exp(frequency * t)
        u = np.fft.irfft(w.view(complex) * kept / rotation, points)
        return (-0.5j * k * kept * rotation * np.fft.rfft(u**2)).view(float)

    state = np.fft.rfft(np.cos(np.pi * grid(-1, 1, points)))
    states = [state]
    for length in tqdm(np.diff(times), desc="reference: Korteweg-de Vries", delay=2, leave=False):
        result = solve_ivp(
            right_side,
            (0.0, length),
            state.view(float),
            method="DOP853",
            t_eval=[length],
            rtol=tolerance,
            atol=ABSOLUTE * tolerance * points / 2,
        )
        state = np.ascontiguousarray(result.y[:, -1]).view(complex) / np.exp(frequency * length)
        states.append(state)
    return np.fft.irfft(states, points)[:, None]


def _compute(dispersion, n_t, n_x, points, tolerance) -> Reference:
    started = time.perf_counter()
    t, x = np.linspace(0, 1, n_t), np.linspace(-1, 1, n_x)
    states, estimate = two_resolutions(
        lambda n: solve(dispersion, t, n, tolerance if n == points else 100 * tolerance),
        points=points,
        accepted=ACCEPTED_ERROR,
        what=f"Korteweg-de Vries at dispersion {dispersion:g}",
    )
    return Reference(
        axes={"t": t, "x": x},
        values={"u": with_end(states[:, 0], n_x)},
        error_estimate=estimate,
        method=f"Fourier on {points} points, integrating factor, DOP853 at {tolerance:.0e}",
        source="Zabusky and Kruskal 1965; SciPy's DOP853 (Hairer, Norsett and Wanner 1993)",
        seconds=time.perf_counter() - started,
    )
