"""Solvers of the damped system (A + mu I) x = b for several values of mu, A positive semidefinite.

Either A is factorized once for each mu, or it is only multiplied with vectors: Lanczos' method
(1950) builds an orthonormal basis Q of the span of b, A b, A^2 b, ... in which A is a tridiagonal
matrix T. The basis is the same for A + mu I, so that one basis gives the iterates of the conjugate
gradient method for all mu at once: x = |b| Q (T + mu I)^-1 e_1. The basis is reorthogonalized in
full; otherwise rounding would cost many iterations where the eigenvalues decay as fast as those of
a physics-informed loss.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve

Solver = Callable[[jax.Array], jax.Array]
Operator = Callable[[jax.Array], jax.Array]


def cholesky(matrix: jax.Array, right: jax.Array) -> Solver:
    """A function from mu to x, with one factorization a call; x is NaN where it breaks down."""

    def solve(mu):
        damped = matrix + mu * jnp.eye(len(matrix), dtype=matrix.dtype)
        return cho_solve(cho_factor(damped, lower=True), right)

    return solve


def lanczos(
    operator: Operator, right: jax.Array, smallest: jax.Array, *, iterations: int, tolerance: float
) -> tuple[Solver, jax.Array]:
    """A function from mu to x, and how often the operator was applied.

    Args:
        operator: multiplies a vector of shape (n,) with A.
        right: b, shape (n,).
        smallest: the smallest mu that will be asked for; the iteration ends when its x is good.
        iterations: at most so many products with A; n x iterations numbers are stored.
        tolerance: of |b - (A + mu I) x| / |b|.
    """
    norm = jnp.linalg.norm(right)
    start = right / jnp.where(norm > 0, norm, 1)
    basis = jnp.zeros((iterations, len(right)), right.dtype).at[0].set(start)
    zeros = jnp.zeros(iterations, right.dtype)

    def proceed(carry):
        k, *_, error = carry
        return (k < iterations) & (error > tolerance)

    def extend(carry):
        """One more column; the pivots are those of elimination in T + mu I."""
        k, basis, diagonal, beside, pivot, error = carry
        vector = operator(basis[k])
        centre = jnp.vdot(basis[k], vector)
        for _ in range(2):
            vector = vector - _apply(basis.T, _apply(basis, vector))
        length = jnp.linalg.norm(vector)
        before = jnp.where(k > 0, beside[k - 1], 0)
        pivot = centre + smallest - before**2 / pivot
        error = error * length / pivot
        basis = basis.at[k + 1].set(vector / jnp.where(length > 0, length, 1))
        return k + 1, basis, diagonal.at[k].set(centre), beside.at[k].set(length), pivot, error

    one = jnp.ones((), right.dtype)
    k, basis, diagonal, beside, *_ = jax.lax.while_loop(
        proceed, extend, (0, basis, zeros, zeros, one, one)
    )
    beside = beside * (jnp.arange(iterations) < k - 1)

    def solve(mu):
        coordinates = jax.lax.linalg.tridiagonal_solve(
            jnp.roll(beside, 1),
            diagonal + mu,
            beside,
            norm * jnp.eye(iterations, 1, dtype=basis.dtype),
        )
        return _apply(basis.T, coordinates[:, 0])

    return solve, k


def _apply(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
