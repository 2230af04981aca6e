"""Steady flow in a square cavity below a moving lid, by spectral elements and Newton's method.

On the unit square, with velocity (u, v), pressure p and Reynolds number Re,

    u u_x + v u_y + p_x = (u_xx + u_yy) / Re
    u v_x + v v_y + p_y = (v_xx + v_yy) / Re
                u_x + v_y = 0

with (u, v) = (1, 0) on the lid y = 1 and (0, 0) on the other walls. All is dimensionless: lengths
in side lengths, velocities in lid velocities, p in density times lid velocity squared.

Velocities of degree 8 and pressures of degree 7 live on a mesh graded towards the walls
(`_spectral_elements`); each Newton step is a sparse LU. On the coarser of two meshes the solution
is followed from Re <= 100 upwards, and there it starts Newton's method on the finer one.

The lid velocity is 1 up to the upper corners, so u jumps and p is infinite there. On the mesh u
rises from 0 to 1, linearly, over the first and the last element of the lid, narrower than 0.001.
No fluid leaks, and what such a ramp changes decays fast with the distance from the corner.
"""

from __future__ import annotations

import time
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from pinnkit.references._cache import cached
from pinnkit.references._reference import Reference
from pinnkit.references._spectral_elements import Elements, solve_condensed

VERSION = 1
LOWEST, HIGHEST = 1.0, 5000.0
DEGREE = 8
COARSE, FINE = 14, 18  # elements along a side
START, RATIO = 100.0, 2.0  # first Reynolds number and largest ratio of successive ones
MOST_STEPS = 15
ON_THE_WAY = 1e-2  # tolerance of a flow that is only a first guess for the next


def lid_driven_cavity(reynolds: float = 100.0, *, n: int = 129) -> Reference:
    """Reference solution of the lid-driven cavity on the unit square.

    Args:
        reynolds: lid velocity times side over viscosity, from 1 to 5000.
        n: points along each side of a uniform grid, at least 9. With 129 it contains all points
            for which Ghia et al. (1982) have a value.

    Returns:
        Values of "u", "v" and "p" with shape (n - 2, n) over (x, y): the grid leaves out the side
        walls, because at their upper ends u jumps and has no value. The mean of p over the
        square is 0. The error estimate is the largest relative L2 difference of u, v and the
        speed between two meshes; it says nothing about the pressure.

    Raises:
        TypeError: the Reynolds number is not a number or n is not an integer.
        ValueError: the Reynolds number is outside [1, 5000] or n is too small.
    """
    check_reynolds(reynolds)
    if isinstance(n, bool) or not isinstance(n, Integral):
        raise TypeError(f"n must be an integer number of points along a side, got {n!r}")
    if n < 9:
        raise ValueError(f"n must be at least 9 points along a side, got {n}")
    parameters = {
        "reynolds": float(reynolds),
        "n": int(n),
        "degree": DEGREE,
        "elements": [COARSE, FINE],
    }
    return cached(
        "lid_driven_cavity", VERSION, parameters, lambda: _compute(float(reynolds), int(n))
    )


def check_reynolds(reynolds: float) -> None:
    """Raise TypeError or ValueError unless the Reynolds number is a number in [1, 5000]."""
    if isinstance(reynolds, bool) or not isinstance(reynolds, Real):
        raise TypeError(f"reynolds must be an integer or a float, got {reynolds!r}")
    if not LOWEST <= reynolds <= HIGHEST:
        raise ValueError(
            f"reynolds must be in [{LOWEST:g}, {HIGHEST:g}], where the steady flow is resolved, "
            f"got {reynolds!r}"
        )


class Flow(NamedTuple):
    """Velocities at the nodes, shape (n_x, n_y), and pressure modes, shape (elements, modes)."""

    u: np.ndarray
    v: np.ndarray
    p: np.ndarray


class Cavity:
    """The discrete equations on one mesh.

    Args:
        elements: along a side, before those next to an upper corner are split.
        degree: of the velocity, at least 2.
    """

    def __init__(self, elements: int, degree: int = DEGREE):
        edges = np.sin(np.pi * np.arange(elements + 1) / (2 * elements)) ** 2
        layers = edges[1] / 4.0 ** np.arange(2, 0, -1)
        upper = np.concatenate([edges[1:-1], 1 - layers[::-1], [1.0]])
        self.mesh = Elements(
            np.concatenate([[0.0], layers, upper]), np.concatenate([[0.0], upper]), degree
        )

    def at_rest(self) -> Flow:
        """Fluid at rest below a moving lid: only the boundary values are right."""
        mesh = self.mesh
        u, v = np.zeros((2, len(mesh.x), len(mesh.y)))
        u[:, -1] = np.minimum(1, np.minimum(mesh.x, 1 - mesh.x) / mesh.edges_x[1])
        return Flow(u, v, np.zeros((len(mesh.nodes), len(mesh.pressure_modes))))

    def guess(self, flow: Flow, other: Cavity) -> Flow:
        """A flow of another mesh taken over to this one; Newton's method needs no pressure."""
        start = self.at_rest()
        for ours, theirs in zip(start[:2], flow[:2], strict=True):
            there = other.mesh.evaluate(theirs, self.mesh.x, self.mesh.y)
            ours[1:-1, 1:-1] = there[1:-1, 1:-1]
        return start

    def newton(self, flow: Flow, reynolds: float, tolerance: float = 1e-9) -> Flow:
        """Newton's method until no velocity changes by more than the tolerance.

        Raises:
            RuntimeError: it does not converge.
        """
        for _ in range(MOST_STEPS):
            change = self.newton_step(flow, reynolds)
            flow = Flow(*(a + b for a, b in zip(flow, change, strict=True)))
            size = max(np.abs(change.u).max(), np.abs(change.v).max())
            if size < tolerance:
                return flow
            if not size < 1e3:
                break
        raise RuntimeError(
            f"Newton's method does not converge at Re = {reynolds:g} on this mesh: take more "
            "elements, or a first guess from a Reynolds number closer by"
        )

    def newton_step(self, flow: Flow, reynolds: float) -> Flow:
        """The change of the flow that solves the equations linearized about it."""
        mesh = self.mesh
        n, modes = mesh.nodes.shape[1], len(mesh.pressure_modes)
        edge = np.flatnonzero(~mesh.inside)
        shared = np.concatenate([edge, n + edge, [2 * n]])
        own = np.setdiff1d(np.arange(2 * n + modes), shared)
        local = solve_condensed(
            lambda block: self.linearized(flow, reynolds, block), shared, own, self._unknown()
        )
        change = [np.zeros(flow.u.size), np.zeros(flow.v.size)]
        change[0][mesh.nodes], change[1][mesh.nodes] = local[:, :n], local[:, n : 2 * n]
        return Flow(*(c.reshape(flow.u.shape) for c in change), local[:, 2 * n :])

    def linearized(self, flow: Flow, reynolds: float, block: slice):
        """Newton's system on some elements: matrices (e, n, n) and right sides (e, n).

        The unknowns, and the rows, are u and v at the nodes of an element, then its pressure
        modes. Momentum is tested with velocities, continuity with pressures.
        """
        mesh = self.mesh
        weights, value, slope_x, slope_y, mode = mesh.basis
        width, height = (size[block, None, None] / 2 for size in mesh.sizes)
        u, v = (c.ravel()[mesh.nodes[block]][:, None, :] for c in flow[:2])
        p = flow.p[block, :, None]

        def inner(left, right, factor=weights):
            return left.T @ (factor[..., None] * right)

        def at_points(table, nodal):
            return (nodal @ table.T)[:, 0, :] * weights

        stiffness = (
            inner(slope_x, slope_x) * height / width + inner(slope_y, slope_y) * width / height
        )
        pressure_x = -inner(slope_x, mode) * height
        pressure_y = -inner(slope_y, mode) * width
        carried = (
            inner(value, slope_x, at_points(value, u)) * height
            + inner(value, slope_y, at_points(value, v)) * width
            + stiffness / reynolds
        )
        u_x, v_x = (inner(value, value, at_points(slope_x, c)) * height for c in (u, v))
        u_y, v_y = (inner(value, value, at_points(slope_y, c)) * width for c in (u, v))
        from_x, from_y = pressure_x.swapaxes(1, 2), pressure_y.swapaxes(1, 2)

        none = np.zeros((len(u), mode.shape[1], mode.shape[1]))
        matrix = np.block(
            [
                [carried + u_x, u_y, pressure_x],
                [v_x, carried + v_y, pressure_y],
                [from_x, from_y, none],
            ]
        )
        u, v = u.swapaxes(1, 2), v.swapaxes(1, 2)
        residual = np.concatenate(
            [carried @ u + pressure_x @ p, carried @ v + pressure_y @ p, from_x @ u + from_y @ v],
            axis=1,
        )
        return matrix, -residual[:, :, 0]

    def _unknown(self):
        """Global numbers of the shared unknowns; -1 on the walls and for one mean pressure."""
        mesh = self.mesh
        free = np.zeros((len(mesh.x), len(mesh.y)), bool)
        free[1:-1, 1:-1] = True
        skeleton = mesh.nodes[:, ~mesh.inside]
        used = np.zeros(free.size, bool)
        used[skeleton] = True
        used &= free.ravel()
        number = np.full(free.size, -1)
        number[used] = np.arange(used.sum())
        u = number[skeleton]
        v = np.where(u >= 0, u + used.sum(), -1)
        p = 2 * used.sum() - 1 + np.arange(len(mesh.nodes))
        p[0] = -1
        return np.concatenate([u, v, p[:, None]], axis=1)

    def sample(self, flow: Flow, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
        """Values of "u", "v" and "p" on a grid, p with mean 0: shape (n_x, n_y) each."""
        width, height = self.mesh.sizes
        mean = np.sum(width * height * flow.p[:, 0])
        return {
            "u": self.mesh.evaluate(flow.u, x, y),
            "v": self.mesh.evaluate(flow.v, x, y),
            "p": self.mesh.evaluate_pressure(flow.p, x, y) - mean,
        }


def continuation(reynolds: float) -> np.ndarray:
    """Reynolds numbers on the way from rest, in equal ratios of at most 2, ending at the last."""
    first = min(START, reynolds)
    steps = int(np.ceil(np.log(reynolds / first) / np.log(RATIO) - 1e-9))
    return np.append(first * (reynolds / first) ** (np.arange(steps) / max(steps, 1)), reynolds)


def _compute(reynolds: float, n: int) -> Reference:
    started = time.perf_counter()
    coarse, fine = Cavity(COARSE), Cavity(FINE)
    flow = coarse.at_rest()
    path = continuation(reynolds)
    with tqdm(
        total=len(path) + 1, desc="reference: lid-driven cavity", delay=2, leave=False
    ) as progress:
        for number in path[:-1]:
            flow = coarse.newton(flow, number, ON_THE_WAY)
            progress.update()
        flow = coarse.newton(flow, reynolds)
        progress.update()
        finer = fine.newton(fine.guess(flow, coarse), reynolds)
        progress.update()

    y = np.linspace(0, 1, n)
    x = y[1:-1]
    values, coarser = fine.sample(finer, x, y), coarse.sample(flow, x, y)
    for sampled in (values, coarser):
        sampled["u"][:, -1] = 1.0
    return Reference(
        axes={"x": x, "y": y},
        values=values,
        error_estimate=_difference(coarser, values),
        method=(
            f"Newton's method and spectral elements of degree {DEGREE}, with {FINE} and {COARSE} "
            "elements along a side, graded towards the walls"
        ),
        source="Ghia, Ghia and Shin 1982; Botella and Peyret 1998; Erturk, Corke and Gokcol 2005",
        seconds=time.perf_counter() - started,
    )


def _difference(guess, truth) -> float:
    """The largest relative L2 difference of u, v and the speed."""
    return max(
        float(np.linalg.norm(a - b) / np.linalg.norm(b))
        for a, b in (
            (guess["u"], truth["u"]),
            (guess["v"], truth["v"]),
            (np.hypot(guess["u"], guess["v"]), np.hypot(truth["u"], truth["v"])),
        )
    )
