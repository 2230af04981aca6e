"""Where residuals are evaluated: collocation points, drawn on the device."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from pinnkit.problems import Problem


@dataclass(frozen=True, kw_only=True)
class UniformSampler:
    """Fresh points at every step, uniform in space and stratified in time.

    The interior points are spread over `interior` equal time slots, one in each, which keeps
    every time chunk of a causal weighting filled. Without a coordinate "t" they are uniform.

    Args:
        interior: number of points for the equation.
        condition: number of points for each initial or boundary condition.

    Raises:
        ValueError: a number of points is not a positive integer.
    """

    interior: int = 1024
    condition: int = 128

    def __post_init__(self):
        _check_sizes(self, "interior", "condition")

    def __call__(self, key: jax.Array, problem: Problem, dtype) -> dict[str, jax.Array]:
        """Points by region: "interior" and each condition's name, arrays of shape (n, d)."""
        conditions = problem.conditions()
        n = self.interior + self.condition * len(conditions)
        # one draw for all: each of several would be compiled anew
        unit = jax.random.uniform(key, (n, len(problem.coordinates)), dtype)
        interior, rest = unit[: self.interior], unit[self.interior :]
        faces = rest.reshape(len(conditions), self.condition, unit.shape[1])
        return {"interior": _scale(_stratified(interior, problem), problem)} | {
            condition.name: _on_faces(face, problem, condition)
            for condition, face in zip(conditions, faces, strict=True)
        }


@dataclass(frozen=True, kw_only=True)
class ResidualSampler:
    """More points where the residual is large, and rows that make up for it.

    From a pool of uniform candidates, points are drawn with the density

        q = mixed + (1 - mixed) |r| / mean |r|,

    relative to a uniform one, and their rows carry the weight 1 / q: the loss that is minimized
    stays the mean over the domain, only its noise is smaller where it matters (importance
    sampling; Nabian, Gladstone and Meidani 2021, arXiv 2104.12325). Meant for points that are held
    for some steps, `pinnkit.fit(..., resample_every=...)`.

    Args:
        interior: number of points for the equation.
        condition: number of points for each initial or boundary condition.
        pool: candidates for each point.
        mixed: share of the density that is uniform, in (0, 1].

    Raises:
        ValueError: an argument is out of range.
    """

    interior: int = 1024
    condition: int = 128
    pool: int = 4
    mixed: float = 0.5

    adaptive: ClassVar[bool] = True

    def __post_init__(self):
        _check_sizes(self, "interior", "condition", "pool")
        if not 0 < self.mixed <= 1:
            raise ValueError(f"mixed must lie in (0, 1], got {self.mixed!r}")

    def __call__(self, key: jax.Array, problem: Problem, dtype, squared_residual):
        """Points by region, and under "inverse_density" the weights of the interior, shape (n,).

        Args:
            squared_residual: maps points (n, d) to squared residuals (n,).
        """
        pool_key, choice_key = jax.random.split(key)
        n = self.interior * self.pool
        points = UniformSampler(interior=n, condition=self.condition)(pool_key, problem, dtype)
        candidates = points["interior"]
        size = jnp.sqrt(squared_residual(candidates))
        mean = jnp.mean(size)
        relative = jnp.where(mean > 0, size / jnp.where(mean > 0, mean, 1), 1)
        density = self.mixed + (1 - self.mixed) * relative
        cumulative = jnp.cumsum(density) / jnp.sum(density)
        # one draw in each of n equal slices of the distribution
        unit = jax.random.uniform(choice_key, (self.interior,), dtype)
        at = (jnp.arange(self.interior, dtype=dtype) + unit) / self.interior
        chosen = jnp.clip(jnp.searchsorted(cumulative, at), 0, n - 1)
        return points | {
            "interior": candidates[chosen],
            "inverse_density": jnp.mean(density) / density[chosen],
        }


@dataclass(frozen=True, kw_only=True)
class QuadratureSampler:
    """The nodes of a quadrature rule, so that the loss is an integral and not a noisy sample.

    The first coordinate, the time, has Gauss-Legendre nodes. At each of them stand lines of equally
    spaced nodes along the periodic coordinates, and of Chebyshev's, equally spaced in the angle
    arccos, along bounded ones. The lines are shifted against each other by multiples of the golden
    ratio: over few times they see all places. Where the residual is smooth, the mean over few nodes
    is the mean over the domain, and between them there is little room for a network that fits
    nothing but the nodes. A front or a kink that is narrower than the spacing is missed: then take
    more nodes, shorter time windows, or `ResidualSampler`. The number of nodes is a product over
    the coordinates: for more than three, draw points instead.

    Meant for points that are held for many steps, `pinnkit.fit(..., resample_every=...)`.

    Args:
        nodes: number along each coordinate, by name.
        clustered: periodic coordinates with the nodes of bounded ones, which gather at the seam:
            for solutions that have a kink there.

    Notes:
        The interior carries the weights of the rule, times the number of nodes, as
        points["inverse_density"]. Exact for polynomials of degree 2 n - 1 along the first
        coordinate and for waves of less than n periods along periodic ones; the error along other
        bounded ones falls like n^-2. The nodes of a condition, on a grid of the coordinates that it
        leaves free, count alike. Several shifted coordinates take the powers of 1 / g, where
        g^(k + 1) = g + 1 and k is their number, as in the R sequence (Roberts 2018).

    Raises:
        ValueError: a number is not a positive integer. When called: a coordinate has none, or
            there is none of that name.
    """

    nodes: Mapping[str, int]
    clustered: tuple[str, ...] = ()

    def __post_init__(self):
        nodes = {
            name: _positive(n, f"nodes along {name!r} must be a positive number")
            for name, n in self.nodes.items()
        }
        object.__setattr__(self, "nodes", nodes)
        object.__setattr__(self, "clustered", tuple(self.clustered))

    def __call__(self, key: jax.Array, problem: Problem, dtype) -> dict[str, jax.Array]:
        """Points by region, arrays of shape (n, d), and the weights of the interior, (n,)."""
        unknown = sorted(set(self.clustered) - set(problem.coordinates))
        if set(self.nodes) != set(problem.coordinates) or unknown:
            raise ValueError(
                f"expected a number of nodes for each of {problem.coordinates}, got {self.nodes}"
                + (f"; no coordinate is called {unknown[0]!r}" if unknown else "")
            )
        key, interior_key = jax.random.split(key)
        interior, weights = self._grid(interior_key, problem, {}, dtype)
        points = {"interior": interior, "inverse_density": weights}
        for condition in problem.conditions():
            faces = list(itertools.product(*condition.at.values()))
            key, *keys = jax.random.split(key, 1 + len(faces))
            grids = [
                self._grid(k, problem, dict(zip(condition.at, face, strict=True)), dtype)[0]
                for k, face in zip(keys, faces, strict=True)
            ]
            points[condition.name] = jnp.concatenate(grids)
        return points

    def _grid(self, key, problem, fixed, dtype) -> tuple[jax.Array, jax.Array]:
        """Nodes where the coordinates that are not fixed run, (n, d), and their weights, (n,)."""
        free = [c for c in problem.coordinates if c not in fixed]
        shape = [self.nodes[c] for c in free] or [1]
        columns = {name: jnp.zeros((), dtype) for name in fixed}
        weights = jnp.ones(shape, dtype)
        starts = jax.random.uniform(key, (len(free),), dtype)
        line = jnp.arange(shape[0], dtype=dtype).reshape([-1] + [1] * (len(free) - 1))
        golden = _golden(max(1, len(free) - 1))
        for axis, (name, n) in enumerate(zip(free, shape, strict=False)):
            bounded = name in self.clustered or name not in problem.periodic
            along = [n if i == axis else 1 for i in range(len(free))]
            if axis == 0 and bounded:
                unit, weight = (x.reshape(along) for x in _gauss(n, dtype))
            else:
                shift = (starts[axis] + (line * golden**-axis if axis else 0)) % 1
                unit = (jnp.arange(n, dtype=dtype).reshape(along) + shift) / n
                unit, weight = _chebyshev(unit) if bounded else (unit, 1)
            columns[name], weights = unit, weights * weight
        grid = [jnp.broadcast_to(columns[c], shape).ravel() for c in problem.coordinates]
        points = _scale(jnp.stack(grid, axis=1), problem)
        for name, value in fixed.items():
            # an array is a constant that programs share, a number would be part of the program
            face = jnp.asarray(np.asarray([value], dtype))
            points = points.at[:, problem.coordinates.index(name)].set(face)
        return points, weights.ravel()


def _gauss(n, dtype) -> tuple[jax.Array, jax.Array]:
    """Gauss-Legendre nodes on [0, 1], and n times their weights."""
    at, weight = np.polynomial.legendre.leggauss(n)
    return jnp.asarray((at + 1) / 2, dtype), jnp.asarray(n * weight / 2, dtype)


def _chebyshev(unit: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Uniform nodes on [0, 1], gathered at both ends, and the inverse of their density."""
    return (1 - jnp.cos(jnp.pi * unit)) / 2, jnp.pi / 2 * jnp.sin(jnp.pi * unit)


def _golden(k: int) -> float:
    """The root > 1 of g^(k + 1) = g + 1."""
    g = 2.0
    for _ in range(60):
        g = (1 + g) ** (1 / (k + 1))
    return g


def _check_sizes(sampler, *names: str) -> None:
    """Raise ValueError for a size that is no positive integer; NumPy's become Python's."""
    for name in names:
        size = _positive(getattr(sampler, name), f"{name} must be a positive number of points")
        object.__setattr__(sampler, name, size)


def _positive(value, requirement: str) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{requirement}, got {value!r}")
    return int(value)


def _stratified(unit, problem) -> jax.Array:
    """Points of the unit cube, one in each of n equal slots of time where there is time."""
    if "t" in problem.coordinates:
        axis, n = problem.coordinates.index("t"), len(unit)
        slot = jnp.arange(n, dtype=unit.dtype)
        unit = unit.at[:, axis].set((slot + unit[:, axis]) / n)
    return unit


def _on_faces(unit, problem, condition) -> jax.Array:
    """Points where a condition holds; a number drawn for a coordinate it fixes chooses the face."""
    points = _scale(unit, problem)
    for name, values in condition.at.items():
        axis, faces = problem.coordinates.index(name), np.asarray(values, unit.dtype)
        face = jnp.asarray(faces)[(unit[:, axis] * len(faces)).astype(int)]
        points = points.at[:, axis].set(face)
    return points


def _scale(unit: jax.Array, problem: Problem) -> jax.Array:
    ends = np.asarray([problem.domain[c] for c in problem.coordinates], unit.dtype)
    low, high = jnp.asarray(ends).T[:, None, :]
    return low + (high - low) * unit
