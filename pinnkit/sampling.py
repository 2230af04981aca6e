"""Where residuals are evaluated: collocation points, drawn on the device."""

from __future__ import annotations

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
        interior_key, *keys = jax.random.split(key, 1 + len(problem.conditions()))
        points = {"interior": self._interior(interior_key, problem, dtype)}
        for condition, k in zip(problem.conditions(), keys, strict=True):
            points[condition.name] = _on_faces(k, problem, condition, self.condition, dtype)
        return points

    def _interior(self, key, problem, dtype):
        return _scale(_stratified(key, self.interior, problem, dtype), problem)


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
        uniform_key, key = jax.random.split(key)
        points = UniformSampler(interior=1, condition=self.condition)(uniform_key, problem, dtype)
        pool_key, choice_key = jax.random.split(key)
        n = self.interior * self.pool
        candidates = _scale(_stratified(pool_key, n, problem, dtype), problem)
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


def _check_sizes(sampler, *names: str) -> None:
    """Raise ValueError for a size that is no positive integer; NumPy's become Python's."""
    for name in names:
        value = getattr(sampler, name)
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} must be a positive number of points, got {value!r}")
        object.__setattr__(sampler, name, int(value))


def _stratified(key, n, problem, dtype) -> jax.Array:
    """n points of the unit cube, one in each of n equal slots of time where there is time."""
    unit = jax.random.uniform(key, (n, len(problem.coordinates)), dtype)
    if "t" in problem.coordinates:
        axis = problem.coordinates.index("t")
        slot = jnp.arange(n, dtype=dtype)
        unit = unit.at[:, axis].set((slot + unit[:, axis]) / n)
    return unit


def _on_faces(key, problem, condition, n, dtype):
    unit_key, face_key = jax.random.split(key)
    points = _scale(jax.random.uniform(unit_key, (n, len(problem.coordinates)), dtype), problem)
    for name, values in condition.at.items():
        face = jax.random.choice(face_key, jnp.asarray(np.asarray(values, dtype)), (n,))
        points = points.at[:, problem.coordinates.index(name)].set(face)
    return points


def _scale(unit: jax.Array, problem: Problem) -> jax.Array:
    ends = np.asarray([problem.domain[c] for c in problem.coordinates], unit.dtype)
    low, high = jnp.asarray(ends).T[:, None, :]
    return low + (high - low) * unit
