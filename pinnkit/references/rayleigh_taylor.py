"""Rayleigh-Taylor convection between two walls, from a snapshot of the growing instability.

For velocity (u, v), pressure p and temperature T on x in [0, 1], periodic, and y in [0, 2],

    u_t + u u_x + v u_y = -p_x + nu Lap u
    v_t + u v_x + v v_y = -p_y + nu Lap v + T
    T_t + u T_x + v T_y = kappa Lap T
              u_x + v_y = 0

with nu = sqrt(Pr / Ra), kappa = 1 / sqrt(Pr Ra) and u = v = T = 0 at y = 0 and y = 2: the
Boussinesq equations, in units of the width of the layer, the difference of temperature across the
interface and the free-fall velocity. At time -1.5 the fluid is at rest, with warm fluid below a
cold one and the interface between them at y = 1 - cos(2 pi x) / 20,

    T = -1/2 sin(pi y / 2) tanh(10 (y - 1) + 1/2 cos(2 pi x)).

The solution at t = 0 is put on a grid of 64 x 97 points, equally spaced in x and Chebyshev points
in y. What is computed for t > 0 starts from the function that these values interpolate, so that a
reference holds its own initial condition. The method is that of `_stokes_modes`.
"""

from __future__ import annotations

import math
import time

import numpy as np
from numpy.polynomial import chebyshev
from tqdm.auto import tqdm

from pinnkit.references._cache import cached
from pinnkit.references._reference import Reference
from pinnkit.references._stokes_modes import Layer, etdrk4

VERSION = 1
AGE, END = 1.5, 2.5  # of the snapshot, and length of the window that begins with it
X = np.arange(65) / 64
Y = 1 - np.cos(np.pi * np.arange(97) / 96)
MODES, DEGREE = 32, 128
STEPS = 0.75  # of time, for each unit of time and each degree in y
LOWEST, THINNEST = 1e4, 2.6e-4  # Rayleigh number; diffusivity that MODES and DEGREE resolve
ACCEPTED_ERROR = 1e-2


def rayleigh_taylor(
    rayleigh: float = 1e6,
    prandtl: float = 0.71,
    *,
    n_t: int = 26,
    modes: int = MODES,
    degree: int = DEGREE,
) -> Reference:
    """Reference solution of Rayleigh-Taylor convection on t in [0, 2.5].

    Args:
        rayleigh: Ra, at least 1e4. The largest depends on the resolution: about 1e7 at the
            default.
        prandtl: Pr > 0, viscosity over diffusivity of heat.
        n_t: number of equally spaced times, both ends included.
        modes: highest Fourier mode in x.
        degree: highest degree of the polynomials in y.

    Returns:
        Values of "u", "v" and "T" with shape (n_t, 65, 97) over (t, x, y): x equally spaced, both
        ends included, and y in Chebyshev points, which lie closer to each other at the walls.
        The error estimate is the largest relative L2 difference to a solution with three quarters
        of the modes and degree and half the steps.

    Raises:
        TypeError: a size is not an integer.
        ValueError: the physics is out of range or too fine for the resolution, or a size too small.
    """
    for name, size, least in (("n_t", n_t, 2), ("modes", modes, 8), ("degree", degree, 16)):
        if isinstance(size, bool) or not isinstance(size, int):
            raise TypeError(f"{name} must be an integer, got {size!r}")
        if size < least:
            raise ValueError(f"{name} must be at least {least}, got {size}")
    check_physics(rayleigh, prandtl, modes, degree)
    parameters = {
        "rayleigh": float(rayleigh),
        "prandtl": float(prandtl),
        "n_t": n_t,
        "modes": modes,
        "degree": degree,
        "window": [AGE, END],
        "grid": [len(X), len(Y)],
    }
    return cached(
        "rayleigh_taylor",
        VERSION,
        parameters,
        lambda: _compute(float(rayleigh), float(prandtl), n_t, modes, degree),
    )


def check_physics(
    rayleigh: float, prandtl: float, modes: int = MODES, degree: int = DEGREE
) -> None:
    """Raise ValueError unless Ra and Pr are in range and the flow is resolved.

    The thinnest layers are as wide as the root of the smaller diffusivity.
    """
    for name, value in (("rayleigh", rayleigh), ("prandtl", prandtl)):
        if not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be positive and finite, got {value!r}")
    if rayleigh < LOWEST:
        raise ValueError(
            f"rayleigh must be at least {LOWEST:g}, got {rayleigh:g}: below, diffusion blurs the "
            "interface before it overturns"
        )
    smaller = min(diffusivities(rayleigh, prandtl))
    finer = math.sqrt(THINNEST / smaller)
    enough = [math.ceil(finer * size) for size in (MODES, DEGREE)]
    if modes < enough[0] or degree < enough[1]:
        raise ValueError(
            f"at rayleigh={rayleigh:g}, prandtl={prandtl:g} the flow is too fine for "
            f"modes={modes}, degree={degree}: choose a smaller Rayleigh number, or call "
            f"pinnkit.references.rayleigh_taylor with modes={enough[0]}, degree={enough[1]} or more"
        )


def diffusivities(rayleigh: float, prandtl: float) -> tuple[float, float]:
    """Of momentum and of heat: nu = sqrt(Pr / Ra) and kappa = 1 / sqrt(Pr Ra)."""
    return math.sqrt(prandtl / rayleigh), 1 / math.sqrt(prandtl * rayleigh)


def start(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Temperature of the fluid at rest, 1.5 before t = 0."""
    return -np.sin(np.pi * y / 2) * np.tanh(10 * (y - 1) + np.cos(2 * np.pi * x) / 2) / 2


def snapshot(rayleigh: float, prandtl: float) -> np.ndarray:
    """u, v and T at t = 0 on the grid (X, Y), computed with the modes that it can hold."""
    layer = Layer(len(X) // 2 - 1, len(Y) - 1, *diffusivities(rayleigh, prandtl))
    temperature = start(layer.x[:, None], layer.s + 1)
    at_rest = layer.state(np.stack([0 * temperature, 0 * temperature, temperature]))
    return evolve(layer, at_rest, np.array([-AGE, 0.0]), math.ceil(STEPS * AGE * len(Y)))[-1]


def evolve(layer: Layer, state: np.ndarray, times: np.ndarray, steps: int) -> np.ndarray:
    """u, v and T at equally spaced times on the grid (X, Y): shape (len(times), 3, 65, 97).

    Args:
        layer: the flow's modes.
        state: at the first time.
        times: increasing.
        steps: between two of them.
    """
    fields = [on_grid(layer, state)]
    stepper = etdrk4(layer.nonlinear, layer.decay, state, (times[1] - times[0]) / steps)
    for _ in tqdm(times[1:], desc="reference: rayleigh_taylor", delay=2, leave=False):
        for _ in range(steps):
            state = next(stepper)
        fields.append(on_grid(layer, state))
    return np.stack(fields)


def on_grid(layer: Layer, state: np.ndarray) -> np.ndarray:
    """u, v and T of a state on the grid (X, Y): shape (3, 65, 97)."""
    return layer.fields(state, X, Y - 1)


def from_grid(layer: Layer, fields: np.ndarray) -> np.ndarray:
    """The state that takes u, v and T from the grid (X, Y), shape (3, 65, 97)."""
    coefficients = fourier_chebyshev(fields)
    return layer.state(evaluate(coefficients, layer.x, layer.s + 1))


def fourier_chebyshev(fields: np.ndarray) -> np.ndarray:
    """Coefficients c of the interpolants of fields on the grid (X, Y), shape (..., 65, 97).

    Returns:
        Shape (..., 63, 97): f(x, y) = sum of c[i, j] F_i(x) T_j(y - 1), where F_i are 1,
        cos(2 pi k x) for k = 1 to 31, sin(2 pi k x) for k = 1 to 31, and T_j Chebyshev polynomials.
    """
    in_x = np.linalg.pinv(fourier_basis(X[:-1]))
    in_y = np.linalg.inv(chebyshev.chebvander(Y - 1, len(Y) - 1))
    return in_x @ fields[..., :-1, :] @ in_y.T


def fourier_basis(x: np.ndarray) -> np.ndarray:
    """1, cos(2 pi k x) and sin(2 pi k x), k = 1 to 31, at x: shape (len(x), 63)."""
    phases = 2 * np.pi * x[:, None] * np.arange(1, len(X) // 2)
    return np.concatenate([np.ones((len(x), 1)), np.cos(phases), np.sin(phases)], axis=1)


def evaluate(coefficients: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The interpolants at (x, y): shape (..., len(x), len(y))."""
    return fourier_basis(x) @ coefficients @ chebyshev.chebvander(y - 1, len(Y) - 1).T


def _compute(rayleigh: float, prandtl: float, n_t: int, modes: int, degree: int) -> Reference:
    started = time.perf_counter()
    times = np.linspace(0, END, n_t)
    initial = snapshot(rayleigh, prandtl)

    def solve(modes: int, degree: int, steps: int) -> np.ndarray:
        layer = Layer(modes, degree, *diffusivities(rayleigh, prandtl))
        return evolve(layer, from_grid(layer, initial), times, steps)

    steps = math.ceil(STEPS * END * degree / (n_t - 1) / 2)
    fine = solve(modes, degree, 2 * steps)
    coarse = solve(3 * modes // 4, 3 * degree // 4, steps)
    estimate = max(
        np.linalg.norm(fine[:, i] - coarse[:, i]) / np.linalg.norm(fine[:, i]) for i in range(3)
    )
    if not estimate < ACCEPTED_ERROR:
        raise ValueError(
            f"at rayleigh={rayleigh:g}, prandtl={prandtl:g} solutions of two resolutions differ by "
            f"{estimate:.0e}: choose a smaller Rayleigh number, or call "
            f"pinnkit.references.rayleigh_taylor with modes={2 * modes}, degree={2 * degree}"
        )
    return Reference(
        axes={"t": times, "x": X, "y": Y},
        values=dict(zip(("u", "v", "T"), np.moveaxis(fine, 1, 0), strict=True)),
        error_estimate=float(estimate),
        method=f"{modes} Fourier modes, Stokes modes of degree {degree}, ETDRK4",
        source="Shen 1994; Cox and Matthews 2002",
        seconds=time.perf_counter() - started,
    )
