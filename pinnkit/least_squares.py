"""The loss as a sum of squares: one vector of weighted residual rows, and its Jacobian.

The loss L = sum_terms w mean_points |r|^2 is |R|^2 for the vector R of all rows r sqrt(w / n).
Gauss-Newton methods work on R. Its Jacobian is taken point by point, in reverse mode, so that its
cost grows like n and not like n^2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from pinnkit.terms import Loss, Points

PyTree = Any
CHUNK = 512


@dataclass(frozen=True)
class LeastSquares:
    """Residual vector, Jacobian and normal equations of a loss at given points.

    Args:
        loss: gives terms, weights and causal weights; the latter are held fixed when
            differentiated, as in the loss itself.
        network: maps parameters to a function of one point.
        points: by region, as a sampler returns them.
        chunk: points whose Jacobian rows are in memory at a time in `normal`.
    """

    loss: Loss
    network: Callable[[PyTree], Callable[[jax.Array], jax.Array]]
    points: Points
    chunk: int = CHUNK

    def residual(self, params: PyTree) -> jax.Array:
        """The vector R, |R|^2 being the loss."""
        return jnp.concatenate([r.ravel() for r in self._by_region(params).values()])

    def jacobian(self, params: PyTree) -> tuple[jax.Array, jax.Array]:
        """R and its Jacobian, shape (len(R), n_parameters), in the order of `ravel_pytree`."""
        scales = self._scales(params)
        rows = [
            jax.vmap(self._at_point(region, params))(self.points[region], scales[region])
            for region in scales
        ]
        residual = jnp.concatenate([r.ravel() for r, _ in rows])
        return residual, jnp.concatenate([j.reshape(-1, j.shape[-1]) for _, j in rows])

    def normal(self, params: PyTree) -> tuple[jax.Array, jax.Array]:
        """J^T J and J^T R, summed over chunks of points."""
        scales = self._scales(params)
        flat, _ = ravel_pytree(params)
        total = jnp.zeros((flat.size, flat.size), flat.dtype), jnp.zeros_like(flat)
        for region, scale in scales.items():
            at_points = jax.vmap(self._at_point(region, params))

            def add(total, part, at_points=at_points):
                residual, jacobian = at_points(*part)
                jacobian = jacobian.reshape(-1, jacobian.shape[-1])
                both = jnp.concatenate([jacobian, residual.reshape(-1, 1)], axis=1)
                product = jnp.matmul(jacobian.T, both, precision=jax.lax.Precision.HIGHEST)
                return (total[0] + product[:, :-1], total[1] + product[:, -1]), None

            total, _ = jax.lax.scan(add, total, _chunks(self.points[region], scale, self.chunk))
        return total

    def _by_region(self, params) -> dict[str, jax.Array]:
        scales = self._scales(params)
        return {
            region: scale[:, None] * self._rows(region, params, self.points[region])
            for region, scale in scales.items()
        }

    def _scales(self, params) -> dict[str, jax.Array]:
        """Root of each point's weight, without that of the terms: arrays of shape (n,)."""
        loss = self.loss
        scales = {}
        for region in ("interior", *(t for t in loss.terms if t in self.points)):
            n, dtype = len(self.points[region]), self.points[region].dtype
            scales[region] = jnp.full(n, n**-0.5, dtype)
        if loss.causal is not None or "inverse_density" in self.points:
            rows = self._rows("interior", params, self.points["interior"], weighted=False)
            w = loss.row_weights(jnp.sum(rows**2, axis=1), self.points)
            scales["interior"] = scales["interior"] * jnp.sqrt(w)
        return scales

    def _rows(self, region, params, points, weighted=True) -> jax.Array:
        return jax.vmap(lambda p: self._row(region, params, p, weighted))(points)

    def _row(self, region, params, point, weighted=True) -> jax.Array:
        """Residuals at one point, times the root of their term's weight: shape (k,)."""
        loss = self.loss
        field = loss.problem.field(self.network(params))
        if region == "interior":
            terms = loss.problem.residual(field, point)
        else:
            (condition,) = (c for c in loss.problem.conditions() if c.name == region)
            terms = {region: condition.residual(field, point)}
        root = {name: loss.weights.get(name, 1.0) ** 0.5 if weighted else 1.0 for name in terms}
        return jnp.concatenate([jnp.ravel(root[name] * r) for name, r in terms.items()])

    def _at_point(self, region, params) -> Callable:
        """A function of a point and its scale: rows (k,) and Jacobian (k, n_parameters)."""
        flat, unravel = ravel_pytree(params)

        def rows(weights, point, scale):
            value = scale * self._row(region, unravel(weights), point)
            return value, value

        def at_point(point, scale):
            jacobian, value = jax.jacrev(rows, has_aux=True)(flat, point, scale)
            return value, jacobian

        return at_point


def _chunks(points: jax.Array, scale: jax.Array, chunk: int) -> tuple[jax.Array, jax.Array]:
    """Points and scales in equal chunks; the last is filled up with points of scale zero."""
    n = min(chunk, len(points))
    missing = -len(points) % n
    points = jnp.concatenate([points, jnp.tile(points[:1], (missing, 1))])
    scale = jnp.concatenate([scale, jnp.zeros(missing, scale.dtype)])
    return points.reshape(-1, n, points.shape[1]), scale.reshape(-1, n)
