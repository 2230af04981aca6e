"""Burgers' equation by the Cole-Hopf transformation, for u(0, x) = -sin(pi x).

With u = -2 nu (log phi)_x the equation becomes the heat equation for phi, so

    u(t, x) = - int sin(pi y) e^F(y) dy / int e^F(y) dy,
    F(y) = -(x - y)^2 / (4 nu t) - cos(pi y) / (2 pi nu)

(Hopf 1950, Cole 1951; Basdevant et al. 1986, Comput. Fluids 14, 23). The integrands are sums of
narrow bells, for which the trapezoidal rule converges exponentially.
"""

from __future__ import annotations

import math
import time

import numpy as np

from pinnkit.references._cache import cached
from pinnkit.references._reference import Reference

VERSION = 2
ACCEPTED_ERROR = 1e-6
NEGLECTED = 40.0
"""Exponent below the largest at which an integrand is cut off: e^-40 = 4e-18."""


def burgers(
    viscosity: float = 0.01 / math.pi, *, n_t: int = 101, n_x: int = 513, nodes: int | None = None
) -> Reference:
    """Reference solution of Burgers' equation on t in [0, 1], x in [-1, 1].

    Args:
        viscosity: nu > 0.
        n_t: number of times.
        n_x: number of positions; both ends are included.
        nodes: of the quadrature; by default as many as the viscosity needs.

    Returns:
        Values of "u" with shape (n_t, n_x). The error estimate is the difference to three
        quarters of the nodes.

    Raises:
        ValueError: the viscosity is not positive, or the nodes do not suffice for an error of
            1e-6; says how many would.
    """
    if not viscosity > 0:
        raise ValueError(f"viscosity must be positive, got {viscosity!r}")
    nodes = sufficient_nodes(viscosity) if nodes is None else nodes
    parameters = {"viscosity": float(viscosity), "n_t": n_t, "n_x": n_x, "nodes": nodes}
    return cached("burgers", VERSION, parameters, lambda: _compute(**parameters))


def sufficient_nodes(viscosity: float) -> int:
    """Nodes at which the trapezoidal rule is exact to rounding for all t in [0, 1], and a third.

    The narrowest bell of the integrand at t = 1 has the width (1 / (2 nu) + pi / (2 nu))^(-1/2);
    for a step of 0.7 widths the rule's error is exp(-2 pi^2 / 0.7^2) = 3e-18. Wide bells carry
    ripples of the initial state, for which 200 nodes are enough.
    """
    width = math.sqrt(2 * viscosity / (1 + math.pi))
    return max(200, math.ceil(4 / 3 * 2 * _reach(viscosity, 1.0) / (0.7 * width)))


def cole_hopf(
    viscosity: float, t: np.ndarray, x: np.ndarray, nodes: int | None = None
) -> np.ndarray:
    """The Cole-Hopf integral at times t (n_t,) and positions x (n_x,): shape (n_t, n_x)."""
    s = np.linspace(-1, 1, sufficient_nodes(viscosity) if nodes is None else nodes)
    u = np.empty((len(t), len(x)))
    for i, time_ in enumerate(t):
        if time_ == 0:
            u[i] = -np.sin(np.pi * x)
            continue
        shift = _reach(viscosity, time_) * s
        y = x[:, None] + shift
        exponent = -(shift**2) / (4 * viscosity * time_) - np.cos(np.pi * y) / (
            2 * np.pi * viscosity
        )
        kernel = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        u[i] = -np.sum(kernel * np.sin(np.pi * y), axis=1) / np.sum(kernel, axis=1)
    return u


def _reach(viscosity: float, t: float) -> float:
    """Distance from x beyond which the integrand is negligible: characteristics come from < t."""
    return t + math.sqrt(4 * NEGLECTED * viscosity * t)


def _compute(viscosity: float, n_t: int, n_x: int, nodes: int) -> Reference:
    started = time.perf_counter()
    t, x = np.linspace(0, 1, n_t), np.linspace(-1, 1, n_x)
    fine, coarse = (cole_hopf(viscosity, t, x, n) for n in (nodes, 3 * nodes // 4))
    estimate = np.linalg.norm(fine - coarse) / np.linalg.norm(fine)
    if not estimate < ACCEPTED_ERROR:
        raise ValueError(
            f"at viscosity {viscosity:g} the Cole-Hopf quadrature with {nodes} nodes has an error "
            f"of about {estimate:.0e}: pass nodes={sufficient_nodes(viscosity)}"
        )
    return Reference(
        axes={"t": t, "x": x},
        values={"u": fine},
        error_estimate=max(float(estimate), 1e-15),
        method=f"Cole-Hopf integral, trapezoidal rule with {nodes} and {3 * nodes // 4} nodes",
        source="Hopf 1950; Cole 1951; Basdevant et al. 1986",
        seconds=time.perf_counter() - started,
    )
