"""The complex Ginzburg-Landau equation on a periodic square of side 2,

    A_t = D lap A + k A - k (1 + i c) A |A|^2,    A(0, x, y) = (10 y + 10 i x) exp(-25 (x^2 + y^2)),

by Fourier collocation and ETDRK4 for u = Re A and v = Im A. At the edge A(0) is below 1e-9, so it
counts as periodic. A quarter turn of the square multiplies A(0), and so A at all times, by a phase.
"""

from __future__ import annotations

import time

import jax.numpy as jnp
import numpy as np

from pinnkit.references._cache import cached
from pinnkit.references._periodic import evolve, grid, with_end
from pinnkit.references._reference import Reference
from pinnkit.references._resolution import two_resolutions

VERSION = 1
ACCEPTED_ERROR = 1e-5
T_END = 1.0


def ginzburg_landau(
    diffusion: float = 0.004,
    growth: float = 10.0,
    rotation: float = 1.5,
    *,
    n_t: int = 81,
    n_x: int = 65,
    points: int = 256,
    steps: int = 1600,
) -> Reference:
    """Reference solution of the Ginzburg-Landau equation on t in [0, 1], x and y in [-1, 1].

    Args:
        diffusion: D > 0.
        growth: k >= 0, the rate at which |A| tends to 1.
        rotation: c; where |A| = 1 the phase turns at the rate -k c, in radians per time.
        n_t: number of times.
        n_x: number of positions along x and along y; both ends are included.
        points: Fourier collocation points per axis, a multiple of 2 (n_x - 1).
        steps: ETDRK4 steps, a multiple of 2 (n_t - 1).

    Returns:
        Values of "u" and "v" with shape (n_t, n_x, n_x); dimensionless. The error estimate is the
        difference to half the points and half the steps.

    Raises:
        ValueError: a number is out of range, or the resolution does not suffice: an error
            above 1e-5, with the resolution that would do.
    """
    if not (diffusion > 0 and growth >= 0 and np.isfinite(rotation)):
        raise ValueError(
            "diffusion must be positive, growth >= 0 and rotation finite, got "
            f"{diffusion!r}, {growth!r} and {rotation!r}"
        )
    physics = tuple(map(float, (diffusion, growth, rotation)))
    parameters = {"physics": physics, "n_t": n_t, "n_x": n_x, "points": points, "steps": steps}
    return cached("ginzburg_landau", VERSION, parameters, lambda: _compute(**parameters))


def solve(physics, state, times, steps) -> np.ndarray:
    """States at the given times from an initial state of shape (2, points, points).

    Args:
        physics: (D, k, c).

    Returns:
        u and v, shape (n_t, 2, points, points).
    """
    diffusion, growth, rotation = physics

    def symbol(derivative):
        laplacian = jnp.sum(derivative**2, axis=0).real
        return jnp.stack(2 * [diffusion * laplacian + growth])

    def saturating(space, coefficients):
        u, v = space.ifft(coefficients)
        decay = -growth * (u**2 + v**2)
        return space.fft(decay * jnp.stack([u - rotation * v, v + rotation * u]))

    return evolve(
        symbol,
        saturating,
        state,
        times,
        extent=2.0,
        steps=steps,
        dealiasing=1.0,  # the spectrum ends well before the highest mode
        label="reference: Ginzburg-Landau",
    )


def initial_state(points: int) -> np.ndarray:
    """u and v at t = 0 on `points` points per axis from -1: shape (2, points, points)."""
    x, y = np.meshgrid(*2 * [grid(-1, 1, points)], indexing="ij")
    return 10 * np.stack([y, x]) * np.exp(-25 * (x**2 + y**2))


def _compute(physics, n_t, n_x, points, steps) -> Reference:
    started = time.perf_counter()
    t, x = np.linspace(0, T_END, n_t), np.linspace(-1, 1, n_x)
    states, estimate = two_resolutions(
        lambda points, steps: solve(physics, initial_state(points), t, steps),
        points=points,
        steps=steps,
        accepted=ACCEPTED_ERROR,
        what=f"Ginzburg-Landau at diffusion {physics[0]:g}",
    )
    values = with_end(states, n_x, axes=(2, 3))
    return Reference(
        axes={"t": t, "x": x, "y": x},
        values={"u": values[:, 0], "v": values[:, 1]},
        error_estimate=estimate,
        method=f"Fourier on {points} x {points} points, {steps} ETDRK4 steps",
        source="exponax; Kassam and Trefethen 2005; equation: Aranson and Kramer 2002",
        seconds=time.perf_counter() - started,
    )
