"""Lanczos' method: a few products tell the ends of a spectrum.

k steps from a vector q_1 build an orthonormal basis Q of span(q_1, A q_1, .., A^(k-1) q_1) in which
the symmetric map A is the tridiagonal matrix T = Q A Q^T. For an eigenpair T s = theta s the Ritz
vector Q^T s satisfies

    |A Q^T s - theta Q^T s| = beta_k |s_k|,

beta_k the length of what the last product adds to the basis, so that an eigenvalue of A lies
within that distance of theta (Parlett 1998, The Symmetric Eigenvalue Problem, section 13.2).
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree

PyTree = Any
HIGHEST = lax.Precision.HIGHEST


class Lanczos(NamedTuple):
    """Basis and tridiagonal matrix of a Krylov space.

    Attributes:
        diagonal: alpha_1 .. alpha_k of T, shape (k,).
        off_diagonal: beta_1 .. beta_k, shape (k,); the last one is outside of T.
        basis: Q, orthonormal rows in the order of `ravel_pytree`, shape (k, n).
    """

    diagonal: jax.Array
    off_diagonal: jax.Array
    basis: jax.Array

    def tridiagonal(self) -> jax.Array:
        """T, shape (k, k)."""
        beside = self.off_diagonal[:-1]
        return jnp.diag(self.diagonal) + jnp.diag(beside, 1) + jnp.diag(beside, -1)


class Spectrum(NamedTuple):
    """Approximate eigenpairs.

    Attributes:
        values: Ritz values, rising, shape (k,). The first and last are the best.
        bounds: within this distance of each there is an eigenvalue, up to rounding of the
            product; not less than the unit of rounding times the largest value. Shape (k,).
        vectors: orthonormal rows in the order of `ravel_pytree`, shape (k, n).
    """

    values: jax.Array
    bounds: jax.Array
    vectors: jax.Array


def lanczos(
    product: Callable[[PyTree], PyTree], example: PyTree, *, steps: int, key: jax.Array
) -> Lanczos:
    """Lanczos' method from a random vector, reorthogonalized against the whole basis.

    Where the Krylov space is exhausted (beta_i = 0) it goes on from a fresh random direction, so
    that n steps find every eigenvalue as often as it occurs.

    Args:
        product: a linear, symmetric map of pytrees like `example`.
        example: sets structure, shapes and dtype, for example the parameters.
        steps: k, the number of products; k n numbers are kept.
        key: of the start and of fresh directions.

    Raises:
        ValueError: steps is not between 1 and n.
        TypeError: the example is no pytree of floats of one dtype.
    """
    start, apply = flatten(product, example)
    check_steps(steps, start.size)
    start_key, key = jax.random.split(key)
    return lanczos_from(apply, jax.random.normal(start_key, start.shape, start.dtype), steps, key)


def spectrum(
    product: Callable[[PyTree], PyTree], example: PyTree, *, steps: int, key: jax.Array
) -> Spectrum:
    """Ritz values with residual bounds, and their vectors.

    The extreme eigenvalues are found first; those inside a dense part of the spectrum only when
    `steps` nears the number of parameters n, where all of them are exact.

    Arguments and errors as for `lanczos`.
    """
    found = lanczos(product, example, steps=steps, key=key)
    values, s = jnp.linalg.eigh(found.tridiagonal())
    rounding = jnp.finfo(values.dtype).eps * jnp.max(jnp.abs(values))
    bounds = jnp.maximum(jnp.abs(found.off_diagonal[-1] * s[-1]), rounding)
    return Spectrum(values, bounds, jnp.matmul(s.T, found.basis, precision=HIGHEST))


def flatten(product: Callable, example: PyTree) -> tuple[jax.Array, Callable]:
    """The example as a vector, and the map as one of vectors.

    Raises:
        TypeError: the example is no pytree of floats of one dtype.
    """
    dtypes = {jnp.result_type(leaf).name for leaf in jax.tree.leaves(example)}
    if len(dtypes) != 1 or not jnp.issubdtype(*dtypes, jnp.floating) or isinstance(example, float):
        raise TypeError(
            "expected arrays of one floating-point dtype, such as the parameters or "
            f"jnp.zeros(n), got {sorted(dtypes) or 'no array'}"
        )
    flat, unravel = ravel_pytree(example)
    return flat, lambda vector: ravel_pytree(product(unravel(vector)))[0]


def check_steps(steps: int, n: int) -> None:
    if isinstance(steps, bool) or not isinstance(steps, Integral) or not 1 <= steps <= n:
        raise ValueError(f"steps must be an integer from 1 to {n}, the dimension, got {steps!r}")


def lanczos_from(apply: Callable, start: jax.Array, steps: int, key: jax.Array) -> Lanczos:
    """Lanczos' method for a map of vectors, from a given one of any length but zero."""
    n, dtype = start.size, start.dtype
    rounding = n**0.5 * jnp.finfo(dtype).eps

    def step(carry, each):
        basis, q, size = carry
        i, key = each
        basis = basis.at[i].set(q)
        image = apply(q)
        alpha = jnp.vdot(q, image, precision=HIGHEST)
        rest = _orthogonalized(image, basis)
        beta = jnp.linalg.norm(rest)
        size = jnp.maximum(size, jnp.maximum(jnp.abs(alpha), beta))
        exhausted = beta <= rounding * size
        fresh = _orthogonalized(jax.random.normal(key, (n,), dtype), basis)
        following = jnp.where(exhausted, fresh, rest)
        following = following / jnp.linalg.norm(following)
        return (basis, following, size), (alpha, jnp.where(exhausted, 0, beta))

    first = jnp.zeros((steps, n), dtype), start / jnp.linalg.norm(start), jnp.zeros((), dtype)
    each = jnp.arange(steps), jax.random.split(key, steps)
    (basis, _, _), (alpha, beta) = lax.scan(step, first, each)
    return Lanczos(alpha, beta, basis)


def _orthogonalized(vector: jax.Array, basis: jax.Array) -> jax.Array:
    for _ in range(2):  # once leaves the rounding of what was removed
        share = jnp.matmul(basis, vector, precision=HIGHEST)
        vector = vector - jnp.matmul(share, basis, precision=HIGHEST)
    return vector
