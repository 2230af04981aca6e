"""The Kuramoto-Sivashinsky equation u_t + a u u_x + b u_xx + c u_xxxx = 0, period 2 pi.

It starts from u(0, x) = cos(x) (1 + sin(x)). Long waves grow, short ones are damped, and the
flow becomes chaotic: small errors grow exponentially, so the step must be far smaller than the
error asked for at the end.
"""

from __future__ import annotations

import time

import numpy as np

from pinnkit.references._cache import cached
from pinnkit.references._periodic import evolve, grid, with_end
from pinnkit.references._reference import Reference
from pinnkit.references._resolution import two_resolutions

VERSION = 1
ACCEPTED_ERROR = 1e-6


def kuramoto_sivashinsky(
    advection: float = 100 / 16,
    growth: float = 100 / 16**2,
    damping: float = 100 / 16**4,
    *,
    n_t: int = 201,
    n_x: int = 513,
    points: int = 1024,
    steps: int = 64_000,
) -> Reference:
    """Reference solution of the Kuramoto-Sivashinsky equation on t in [0, 1], x in [0, 2 pi].

    Args:
        advection: a.
        growth: b > 0, the negative diffusion.
        damping: c > 0, the fourth-order diffusion.
        n_t: number of times.
        n_x: number of positions; both ends are included.
        points: Fourier collocation points, a multiple of n_x - 1.
        steps: ETDRK4 steps, a multiple of 2 (n_t - 1).

    Returns:
        Values of "u" with shape (n_t, n_x); dimensionless. The error estimate is the difference
        to half the points and half the steps.

    Raises:
        ValueError: a coefficient is out of range, or the resolution does not suffice: an error
            above 1e-6, with the resolution that would do.
    """
    if not (growth > 0 and damping > 0):
        raise ValueError(f"growth and damping must be positive, got {growth!r} and {damping!r}")
    parameters = {
        "advection": float(advection),
        "growth": float(growth),
        "damping": float(damping),
        "n_t": n_t,
        "n_x": n_x,
        "points": points,
        "steps": steps,
    }
    return cached("kuramoto_sivashinsky", VERSION, parameters, lambda: _compute(**parameters))


def solve(advection, growth, damping, times, points, steps) -> np.ndarray:
    """States at the given times on `points` points from 0: shape (n_t, 1, points)."""

    def symbol(derivative):
        return (-growth * derivative[:1] ** 2 - damping * derivative[:1] ** 4).real

    def advecting(space, coefficients):
        return -advection / 2 * space.derivative * space.fft(space.ifft(coefficients) ** 2)

    x = grid(0, 2 * np.pi, points)
    return evolve(
        symbol,
        advecting,
        (np.cos(x) * (1 + np.sin(x)))[None],
        times,
        extent=2 * np.pi,
        steps=steps,
        label="reference: Kuramoto-Sivashinsky",
    )


def _compute(advection, growth, damping, n_t, n_x, points, steps) -> Reference:
    started = time.perf_counter()
    t, x = np.linspace(0, 1, n_t), np.linspace(0, 2 * np.pi, n_x)
    states, estimate = two_resolutions(
        lambda points, steps: solve(advection, growth, damping, t, points, steps),
        points=points,
        steps=steps,
        accepted=ACCEPTED_ERROR,
        what=f"Kuramoto-Sivashinsky at damping {damping:g}",
    )
    return Reference(
        axes={"t": t, "x": x},
        values={"u": with_end(states[:, 0], n_x)},
        error_estimate=estimate,
        method=f"Fourier on {points} points, {steps} ETDRK4 steps",
        source="exponax; Kassam and Trefethen 2005",
        seconds=time.perf_counter() - started,
    )
