"""The Gray-Scott reaction of a substrate u and an autocatalyst v on a periodic square of side 2,

    u_t = D_u lap u + F (1 - u) - R u v^2,    v_t = D_v lap v - K v + R u v^2,

by Fourier collocation and ETDRK4. The initial Gaussians are not quite periodic: their periodic
extension jumps by 1e-4 across the edge. The jump's middle value is taken there, as a Fourier
series does, and diffusion smooths it; the state at t = 0 is given as the Gaussians are.
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
T_END = 2.0


def gray_scott(
    diffusion_u: float = 0.2,
    diffusion_v: float = 0.1,
    feed: float = 40.0,
    kill: float = 100.0,
    reaction: float = 1000.0,
    *,
    n_t: int = 81,
    n_x: int = 65,
    points: int = 256,
    steps: int = 6400,
) -> Reference:
    """Reference solution of the Gray-Scott equations on t in [0, 2], x and y in [-1, 1].

    Args:
        diffusion_u, diffusion_v: D_u, D_v > 0.
        feed: F >= 0, the rate at which u returns to 1.
        kill: K >= 0, the rate at which v decays.
        reaction: R >= 0.
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
    if not (diffusion_u > 0 and diffusion_v > 0):
        raise ValueError(
            f"diffusion_u and diffusion_v must be positive, got {diffusion_u!r} and {diffusion_v!r}"
        )
    if not (feed >= 0 and kill >= 0 and reaction >= 0):
        raise ValueError(
            f"feed, kill and reaction must be >= 0, got {feed!r}, {kill!r} and {reaction!r}"
        )
    physics = tuple(map(float, (diffusion_u, diffusion_v, feed, kill, reaction)))
    parameters = {"physics": physics, "n_t": n_t, "n_x": n_x, "points": points, "steps": steps}
    return cached("gray_scott", VERSION, parameters, lambda: _compute(**parameters))


def solve(physics, state, times, steps) -> np.ndarray:
    """States at the given times from an initial state of shape (2, points, points).

    Args:
        physics: (D_u, D_v, F, K, R).

    Returns:
        Shape (n_t, 2, points, points).
    """
    diffusion_u, diffusion_v, feed, kill, reaction = physics

    def symbol(derivative):
        laplacian = jnp.sum(derivative**2, axis=0).real
        return jnp.stack([diffusion_u * laplacian - feed, diffusion_v * laplacian - kill])

    def reacting(space, coefficients):
        u, v = space.ifft(coefficients)
        gain = reaction * u * v**2
        return space.fft(jnp.stack([feed - gain, gain]))

    return evolve(
        symbol,
        reacting,
        state,
        times,
        extent=2.0,
        steps=steps,
        dealiasing=1.0,  # the spectrum ends well before the highest mode
        label="reference: Gray-Scott",
    )


def initial_state(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """u and v at t = 0: shape (2, len(x), len(y))."""
    return _from_gaussians(lambda center, s: _gaussian(s - center), x, y)


def periodic_initial_state(points: int) -> np.ndarray:
    """u and v at t = 0 on `points` points per axis from -1, the middle of the jump at the edge."""

    def periodic_gaussian(center, x):
        values = _gaussian(x - center)
        values[0] = (_gaussian(-1 - center) + _gaussian(1 - center)) / 2
        return values

    x = grid(-1, 1, points)
    return _from_gaussians(periodic_gaussian, x, x)


def _from_gaussians(gaussian, x, y):
    u = 1 - np.outer(gaussian(-0.05, x), gaussian(-0.02, y))
    v = np.outer(gaussian(0.05, x), gaussian(0.02, y))
    return np.stack([u, v])


def _gaussian(s):
    return np.exp(-10 * s**2)


def _compute(physics, n_t, n_x, points, steps) -> Reference:
    started = time.perf_counter()
    t, x = np.linspace(0, T_END, n_t), np.linspace(-1, 1, n_x)
    states, estimate = two_resolutions(
        lambda points, steps: solve(physics, periodic_initial_state(points), t, steps)[1:],
        points=points,
        steps=steps,
        accepted=ACCEPTED_ERROR,
        what=f"Gray-Scott at diffusion {physics[0]:g} and {physics[1]:g}",
    )
    values = np.concatenate([initial_state(x, x)[None], with_end(states, n_x, axes=(2, 3))])
    return Reference(
        axes={"t": t, "x": x, "y": x},
        values={"u": values[:, 0], "v": values[:, 1]},
        error_estimate=estimate,
        method=f"Fourier on {points} x {points} points, {steps} ETDRK4 steps",
        source="exponax; Kassam and Trefethen 2005; equations: Gray and Scott 1984, Pearson 1993",
        seconds=time.perf_counter() - started,
    )
