"""The Allen-Cahn equation u_t = eps u_xx + k (u - u^3) from u(0, x) = x^2 cos(pi x), period 2.

The periodic extension of the initial state has a kink at x = +-1. Sampled on n points, it is
interpolated by Fourier modes with an error of order 1/n^2, and the error stays. Here the exact
Fourier coefficients of the initial state, known in closed form, are cut off instead: diffusion
removes the neglected modes at once, and what remains converges exponentially for t > 0.
"""

from __future__ import annotations

import time

import numpy as np

from pinnkit.references._cache import cached
from pinnkit.references._periodic import evolve, with_end
from pinnkit.references._reference import Reference
from pinnkit.references._resolution import two_resolutions

VERSION = 1
ACCEPTED_ERROR = 1e-6


def allen_cahn(
    diffusion: float = 1e-4,
    reaction: float = 5.0,
    *,
    n_t: int = 201,
    n_x: int = 513,
    points: int = 8192,
    steps: int = 4000,
) -> Reference:
    """Reference solution of the Allen-Cahn equation on t in [0, 1], x in [-1, 1].

    Args:
        diffusion: eps > 0.
        reaction: k >= 0, the rate at which u tends to -1 or 1.
        n_t: number of times.
        n_x: number of positions; both ends are included.
        points: Fourier collocation points, a multiple of 2 (n_x - 1).
        steps: ETDRK4 steps, a multiple of 2 (n_t - 1).

    Returns:
        Values of "u" with shape (n_t, n_x); dimensionless. The error estimate is the difference
        to half the points and half the steps.

    Raises:
        ValueError: a number is out of range, or the resolution does not suffice: an error
            above 1e-6, with the resolution that would do.
    """
    if not (diffusion > 0 and reaction >= 0):
        raise ValueError(
            f"diffusion must be positive and reaction >= 0, got {diffusion!r} and {reaction!r}"
        )
    parameters = {
        "diffusion": float(diffusion),
        "reaction": float(reaction),
        "n_t": n_t,
        "n_x": n_x,
        "points": points,
        "steps": steps,
    }
    return cached("allen_cahn", VERSION, parameters, lambda: _compute(**parameters))


def solve(diffusion, reaction, times, points, steps) -> np.ndarray:
    """States at the given times on `points` points from -1: shape (n_t, 1, points)."""

    def symbol(derivative):
        return diffusion * (derivative[:1] ** 2).real

    def reacting(space, coefficients):
        u = space.ifft(coefficients)
        return space.fft(reaction * (u - u**3))

    return evolve(
        symbol,
        reacting,
        projected_initial_state(points)[None],
        times,
        extent=2.0,
        steps=steps,
        dealiasing=1 / 2,
        label="reference: Allen-Cahn",
    )


def projected_initial_state(points: int) -> np.ndarray:
    """x^2 cos(pi x) on `points` points from -1, all modes that they resolve exact, no other."""
    k = np.arange(points // 2 + 1)
    coefficients = (_moment(k + 1) + _moment(k - 1)) / 4
    coefficients[-1] = 0
    return np.fft.irfft((-1.0) ** k * coefficients * points, points)


def _moment(j: np.ndarray) -> np.ndarray:
    """The integral of x^2 cos(pi j x) over [-1, 1]."""
    return np.where(j == 0, 2 / 3, 4 * (-1.0) ** j / (np.pi * np.where(j == 0, 1, j)) ** 2)


def _compute(diffusion, reaction, n_t, n_x, points, steps) -> Reference:
    started = time.perf_counter()
    t, x = np.linspace(0, 1, n_t), np.linspace(-1, 1, n_x)
    states, estimate = two_resolutions(
        lambda points, steps: solve(diffusion, reaction, t, points, steps)[1:],
        points=points,
        steps=steps,
        accepted=ACCEPTED_ERROR,
        what=f"Allen-Cahn at diffusion {diffusion:g}",
    )
    u = np.concatenate([[x**2 * np.cos(np.pi * x)], with_end(states[:, 0], n_x)])
    return Reference(
        axes={"t": t, "x": x},
        values={"u": u},
        error_estimate=estimate,
        method=f"Fourier on {points} points from exact initial coefficients, {steps} ETDRK4 steps",
        source="exponax; Kassam and Trefethen 2005; initial state: Raissi et al. 2019",
        seconds=time.perf_counter() - started,
    )
