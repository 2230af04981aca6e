"""Burgers' equation by the Cole-Hopf transformation, for u(0, x) = -sin(pi x).

With u = -2 nu (log phi)_x the equation becomes the heat equation for phi, so

    u(t, x) = - int sin(pi y) f(y) e^(-z^2) dz / int f(y) e^(-z^2) dz,
    y = x - 2 sqrt(nu t) z,    f(y) = exp(-cos(pi y) / (2 pi nu))

(Hopf 1950, Cole 1951; Basdevant et al. 1986, Comput. Fluids 14, 23). The integrals are taken by
Gauss-Hermite quadrature.
"""

from __future__ import annotations

import math
import time

import numpy as np

from pinnkit.references._cache import cached
from pinnkit.references._reference import Reference

VERSION = 1
NODES = (300, 220)
ACCEPTED_ERROR = 1e-6


def burgers(viscosity: float = 0.01 / math.pi, *, n_t: int = 101, n_x: int = 513) -> Reference:
    """Reference solution of Burgers' equation on t in [0, 1], x in [-1, 1].

    Args:
        viscosity: nu > 0.
        n_t: number of times.
        n_x: number of positions; both ends are included.

    Returns:
        Values of "u" with shape (n_t, n_x). The error estimate is the difference between two
        quadrature orders.

    Raises:
        ValueError: the viscosity is not positive, or so small that the quadrature has not
            converged to 1e-6.
    """
    if not viscosity > 0:
        raise ValueError(f"viscosity must be positive, got {viscosity!r}")
    parameters = {"viscosity": float(viscosity), "n_t": n_t, "n_x": n_x, "nodes": NODES}
    return cached("burgers", VERSION, parameters, lambda: _compute(viscosity, n_t, n_x))


def cole_hopf(viscosity: float, t: np.ndarray, x: np.ndarray, nodes: int = NODES[0]) -> np.ndarray:
    """The Cole-Hopf integral at times t (n_t,) and positions x (n_x,): shape (n_t, n_x)."""
    z, weights = np.polynomial.hermite.hermgauss(nodes)
    u = np.empty((len(t), len(x)))
    for i, time_ in enumerate(t):
        if time_ == 0:
            u[i] = -np.sin(np.pi * x)
            continue
        y = x[:, None] - 2 * math.sqrt(viscosity * time_) * z
        exponent = -np.cos(np.pi * y) / (2 * np.pi * viscosity)
        kernel = weights * np.exp(exponent - exponent.max(axis=1, keepdims=True))
        u[i] = -np.sum(kernel * np.sin(np.pi * y), axis=1) / np.sum(kernel, axis=1)
    return u


def _compute(viscosity: float, n_t: int, n_x: int) -> Reference:
    started = time.perf_counter()
    t, x = np.linspace(0, 1, n_t), np.linspace(-1, 1, n_x)
    fine, coarse = (cole_hopf(viscosity, t, x, nodes) for nodes in NODES)
    estimate = np.linalg.norm(fine - coarse) / np.linalg.norm(fine)
    if not estimate < ACCEPTED_ERROR:
        raise ValueError(
            f"at viscosity {viscosity:g} the Cole-Hopf quadrature with {NODES[0]} nodes has an "
            f"error of about {estimate:.0e}: choose a viscosity of about 0.002 or more"
        )
    return Reference(
        axes={"t": t, "x": x},
        values={"u": fine},
        error_estimate=max(float(estimate), 1e-15),
        method=f"Cole-Hopf integral, Gauss-Hermite quadrature with {NODES[0]} and {NODES[1]} nodes",
        source="Hopf 1950; Cole 1951; Basdevant et al. 1986",
        seconds=time.perf_counter() - started,
    )
