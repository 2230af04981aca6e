"""The loss as a sum of squares: one vector of weighted residual rows, and its Jacobian.

The loss L = sum_terms w mean_points |r|^2 is |R|^2 for the vector R of all rows r sqrt(w / n).
Gauss-Newton methods work on R and its Jacobian J. J is taken point by point, in reverse mode, so
that its cost grows like n and not like n^2, and a chunk of points at a time: neither `normal` nor
`kernel` ever holds all of it, and `products` needs none of it. Where points are divided over
devices, each sums `normal` over its own points before the sums are added up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from pinnkit.devices import divide, over_points
from pinnkit.terms import Loss, Points, residuals_at

PyTree = Any
CHUNK = 512
CHUNK_BYTES = 2**28
TAPE_BYTES = 2**30
BLOCKS = 4


@dataclass(frozen=True)
class LeastSquares:
    """Residual vector R of a loss at given points, and what Gauss-Newton steps need of J.

    Vectors of parameters are flat, in the order of `ravel_pytree`.

    Args:
        loss: gives terms, weights and causal weights; the latter are held fixed when
            differentiated, as in the loss itself.
        network: maps parameters to a function of one point.
        points: by region, as a sampler returns them.
        chunk: points that are worked on at a time; fewer where their rows of J exceed 256 MiB.
    """

    loss: Loss
    network: Callable[[PyTree], Callable[[jax.Array], jax.Array]]
    points: Points
    chunk: int = CHUNK

    def residual(self, params: PyTree) -> jax.Array:
        """The vector R, |R|^2 being the loss."""
        return self._stacked(params, self._scales(params))

    def jacobian(self, params: PyTree) -> tuple[jax.Array, jax.Array]:
        """R and all of J, shape (len(R), n_parameters)."""
        scales = self._scales(params)
        rows = [
            jax.vmap(self._at_point(region, params))(self.points[region], scales[region])
            for region in scales
        ]
        residual = jnp.concatenate([r.ravel() for r, _ in rows])
        return residual, jnp.concatenate([j.reshape(-1, j.shape[-1]) for _, j in rows])

    def normal(self, params: PyTree) -> tuple[jax.Array, jax.Array, jax.Array]:
        """J^T J, J^T R and |R|^2, summed over chunks of points."""
        mesh = self.loss.mesh
        everything = self._scaled_points(params)
        if mesh is None:
            gram, right, value = self._sums(params, everything)
        else:
            pieces = jax.tree.map(
                lambda x: divide(x.reshape(mesh.size, -1, *x.shape[1:]), mesh), everything
            )
            sums = jax.vmap(lambda piece: self._sums(params, piece))(pieces)
            gram, right, value = jax.tree.map(lambda x: jnp.sum(x, axis=0), sums)
        return _mirrored(gram), right, value

    def _sums(self, params, everything) -> tuple[jax.Array, jax.Array, jax.Array]:
        """J^T J, its upper triangle, J^T R and |R|^2 for points and scales by region."""
        flat, _ = ravel_pytree(params)
        total = _zeros(flat, flat.size, flat.size), jnp.zeros_like(flat), _zeros(flat)
        for part in self._parts(params, everything):

            def add(i, total, part=part):
                residual, jacobian = part.rows(i, once=True)
                return (
                    _add_upper_gram(total[0], jacobian),
                    total[1] + _product(jacobian.T, residual),
                    total[2] + jnp.sum(residual**2),
                )

            total = jax.lax.fori_loop(0, part.chunks, add, total)
        return total

    def kernel(self, params: PyTree) -> tuple[jax.Array, jax.Array]:
        """J J^T, shape (len(R), len(R)), and R; block by block, for pairs of chunks of points.

        The rows of J are computed anew for each pair, which costs little beside their product.
        """
        flat, _ = ravel_pytree(params)
        parts = self._parts(params, self._scaled_points(params))
        n = parts[-1].end
        whole = _zeros(flat, n, n), _zeros(flat, n)
        for a, across in enumerate(parts):

            def block_row(i, whole, a=a, across=across):
                matrix, vector = whole
                residual, jacobian = across.rows(i)
                vector = jax.lax.dynamic_update_slice(vector, residual, (across.at(i),))
                for down in parts[a:]:

                    def block(j, matrix, down=down):
                        block = _product(jacobian, down.rows(j)[1].T)
                        return jax.lax.dynamic_update_slice(
                            matrix, block, (across.at(i), down.at(j))
                        )

                    first = i if down is across else 0
                    matrix = jax.lax.fori_loop(first, down.chunks, block, matrix)
                return matrix, vector

            whole = jax.lax.fori_loop(0, across.chunks, block_row, whole)
        return _mirrored(whole[0]), whole[1]

    def products(self, params: PyTree) -> tuple[jax.Array, Callable, Callable]:
        """R, and the maps v -> J v and u -> J^T u.

        What all products share is computed once, as long as it takes up no more than 1 GiB;
        beyond that it is computed anew for each, in chunks.
        """
        flat, unravel = ravel_pytree(params)
        scales = self._scales(params)
        numbers = sum(len(s) * self._tape(region, params) for region, s in scales.items())
        anew = numbers * flat.dtype.itemsize > TAPE_BYTES
        residual, jvp = jax.linearize(lambda w: self._stacked(unravel(w), scales, anew), flat)
        transpose = jax.linear_transpose(jvp, flat)
        return residual, jvp, lambda u: transpose(u)[0]

    def _stacked(self, params, scales, anew=False) -> jax.Array:
        """Rows of all regions; with `anew`, no intermediate value is kept for differentiation."""
        parts = []
        for region, scale in scales.items():

            def row(part, region=region):
                point, scale = part
                return scale * self._row(region, params, point)

            row = jax.checkpoint(row) if anew else row
            parts.append(self._map(row, (self.points[region], scale)).ravel())
        return jnp.concatenate(parts)

    def _tape(self, region, params) -> int:
        """Numbers that the derivative at one point needs, besides the parameters."""
        flat, unravel = ravel_pytree(params)
        point = self.points[region][0]

        def pullback(weights):
            return jax.vjp(lambda w: self._row(region, unravel(w), point), weights)[1]

        return sum(x.size for x in jax.tree.leaves(jax.eval_shape(pullback, flat))) - flat.size

    def _map(self, function, xs):
        mesh = self.loss.mesh
        return over_points(function, xs, self.chunk * (mesh.size if mesh else 1), mesh)

    def _parts(self, params, everything) -> list[_Part]:
        """J and R by region, in chunks, at these points with these scales."""
        parts, start = [], 0
        n_parameters = ravel_pytree(params)[0].size
        for region, (points, scale) in everything.items():
            at_point = self._at_point(region, params)
            k = jax.eval_shape(at_point, points[0], scale[0])[0].size
            most = CHUNK_BYTES // (k * n_parameters * points.dtype.itemsize)
            chunk = max(1, min(self.chunk, len(points), most))
            parts.append(_Part(points, scale, jax.vmap(at_point), start, k, chunk))
            start = parts[-1].end
        return parts

    def _scaled_points(self, params) -> dict[str, tuple[jax.Array, jax.Array]]:
        """Points and their scales by region."""
        scales = self._scales(params)
        return {region: (self.points[region], scale) for region, scale in scales.items()}

    def _scales(self, params) -> dict[str, jax.Array]:
        """Root of each point's weight, without that of the terms: arrays of shape (n,)."""
        loss = self.loss
        scales = {}
        for region in ("interior", *(t for t in loss.terms if t in self.points)):
            n, dtype = len(self.points[region]), self.points[region].dtype
            scales[region] = jnp.full(n, n**-0.5, dtype)
        if loss.causal is not None or "inverse_density" in self.points:
            row = partial(self._row, "interior", params, weighted=False)
            rows = self._map(row, self.points["interior"])
            w = loss.row_weights(jnp.sum(rows**2, axis=1), self.points)
            scales["interior"] = scales["interior"] * jnp.sqrt(w)
        return scales

    def _row(self, region, params, point, weighted=True) -> jax.Array:
        """Residuals at one point, times the root of their term's weight: shape (k,)."""
        terms = residuals_at(self.loss.problem, self.network(params), region, point)
        weights = self.loss.weights
        root = {name: weights.get(name, 1.0) ** 0.5 if weighted else 1.0 for name in terms}
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


class _Part(NamedTuple):
    """Rows of R and J that belong to one region, in equal chunks; the last two may overlap."""

    points: jax.Array
    scale: jax.Array
    at_points: Callable
    start: int
    k: int
    chunk: int

    @property
    def chunks(self) -> int:
        return -(-len(self.points) // self.chunk)

    @property
    def end(self) -> int:
        return self.start + self.k * len(self.points)

    def rows(self, i, once=False) -> tuple[jax.Array, jax.Array]:
        """R and J of chunk i; with `once`, rows that the chunk before has had are zero."""
        first = self._first(i)
        points, scale = (
            jax.lax.dynamic_slice_in_dim(x, first, self.chunk) for x in (self.points, self.scale)
        )
        if once:
            scale = jnp.where(first + jnp.arange(self.chunk) >= i * self.chunk, scale, 0)
        residual, jacobian = self.at_points(points, scale)
        return residual.ravel(), jacobian.reshape(residual.size, -1)

    def at(self, i):
        """Index in R of the first row of chunk i."""
        return self.start + self.k * self._first(i)

    def _first(self, i):
        return jnp.minimum(i * self.chunk, len(self.points) - self.chunk)


def _add_upper_gram(gram: jax.Array, rows: jax.Array) -> jax.Array:
    """gram + rows^T rows, in the upper triangle at least: 10 of 16 blocks."""
    n = len(gram)
    edges = [n * i // BLOCKS for i in range(BLOCKS + 1)]
    for i in range(BLOCKS):
        here = slice(edges[i], edges[i + 1])
        beyond = slice(edges[i], n)
        gram = gram.at[here, beyond].add(_product(rows[:, here].T, rows[:, beyond]))
    return gram


def _mirrored(upper: jax.Array) -> jax.Array:
    """The symmetric matrix with this upper triangle."""
    return jnp.triu(upper) + jnp.triu(upper, 1).T


def _zeros(like: jax.Array, *shape: int) -> jax.Array:
    return jnp.zeros(shape, like.dtype)


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
