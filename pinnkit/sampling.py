"""Where residuals are evaluated: collocation points, drawn on the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

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
        for name in ("interior", "condition"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive number of points, got {value!r}")

    def __call__(self, key: jax.Array, problem: Problem, dtype) -> dict[str, jax.Array]:
        """Points by region: "interior" and each condition's name, arrays of shape (n, d)."""
        interior_key, *keys = jax.random.split(key, 1 + len(problem.conditions()))
        points = {"interior": self._interior(interior_key, problem, dtype)}
        for condition, k in zip(problem.conditions(), keys, strict=True):
            points[condition.name] = _on_faces(k, problem, condition, self.condition, dtype)
        return points

    def _interior(self, key, problem, dtype):
        unit = jax.random.uniform(key, (self.interior, len(problem.coordinates)), dtype)
        if "t" in problem.coordinates:
            axis = problem.coordinates.index("t")
            slot = jnp.arange(self.interior, dtype=dtype)
            unit = unit.at[:, axis].set((slot + unit[:, axis]) / self.interior)
        return _scale(unit, problem)


def _on_faces(key, problem, condition, n, dtype):
    unit_key, face_key = jax.random.split(key)
    points = _scale(jax.random.uniform(unit_key, (n, len(problem.coordinates)), dtype), problem)
    for name, values in condition.at.items():
        face = jax.random.choice(face_key, jnp.asarray(values, dtype), (n,))
        points = points.at[:, problem.coordinates.index(name)].set(face)
    return points


def _scale(unit: jax.Array, problem: Problem) -> jax.Array:
    low, high = (
        jnp.asarray([problem.domain[c][end] for c in problem.coordinates], unit.dtype)[None, :]
        for end in (0, 1)
    )
    return low + (high - low) * unit
