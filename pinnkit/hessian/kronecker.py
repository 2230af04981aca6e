"""One dense layer: Shampoo's factors, and how much of the curvature a Kronecker product holds.

The Gauss-Newton block of a weight matrix of shape (a, b) is C = 2 sum_j vec(J_j) vec(J_j)^T, J_j
of shape (a, b) the derivative of residual j and vec by rows. Rearranged as

    R[(i, k), (j, l)] = C[(i, j), (k, l)]                                      (a^2, b^2)

a Kronecker product A (x) B becomes the rank-one matrix vec(A) vec(B)^T, so that the product nearest
to C in the Frobenius norm is the leading singular pair of R (Van Loan and Pitsianis 1993,
"Approximation with Kronecker products"). One step of the power iteration that finds it, from
the identity, gives A ~ sum_j J_j J_j^T and B ~ sum_j J_j^T J_j, what Shampoo and SOAP accumulate
(Morwani et al. 2024, arXiv 2406.17748).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

PyTree = Any
HIGHEST = jax.lax.Precision.HIGHEST


class KroneckerProduct(NamedTuple):
    """left (x) right, as `jnp.kron` computes it.

    Attributes:
        left: shape (a, a), acts on the rows of a weight matrix.
        right: shape (b, b), acts on its columns; both have the same Frobenius norm.
        error: Frobenius distance from what it approximates, relative to the norm of that.
    """

    left: jax.Array
    right: jax.Array
    error: jax.Array


def layer_jacobian(
    residual: Callable[[PyTree], jax.Array], params: PyTree, layer: str, *, batch: int = 64
) -> jax.Array:
    """Derivatives J_j of all residuals by one weight matrix.

    Gradients of the squares r_j^2 are 2 r_j J_j.

    Args:
        residual: maps parameters to r, shape (n,).
        params: a pytree of arrays.
        layer: path of a matrix in it, for example "hidden/0/kernel".
        batch: entries of the matrix whose derivatives are taken at once.

    Returns:
        Shape (n, a, b) for a matrix of shape (a, b); it has to fit into memory.

    Raises:
        ValueError: there is no such matrix.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(params)
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves]
    values = [value for _, value in leaves]
    matrices = [name for name, v in zip(names, values, strict=True) if jnp.ndim(v) == 2]
    if layer not in matrices:
        raise ValueError(f"no weight matrix {layer!r}: expected one of {', '.join(matrices)}")
    at = names.index(layer)
    matrix = values[at]

    def rows(matrix):
        return residual(structure.unflatten([*values[:at], matrix, *values[at + 1 :]]))

    def derivative(entry):
        unit = jnp.zeros(matrix.size, matrix.dtype).at[entry].set(1).reshape(matrix.shape)
        return jax.jvp(rows, (matrix,), (unit,))[1]

    columns = jax.lax.map(derivative, jnp.arange(matrix.size), batch_size=batch)
    return columns.T.reshape(-1, *matrix.shape)


def kronecker_factors(gradients: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The means of G G^T and G^T G that Shampoo and SOAP estimate.

    Args:
        gradients: one G for each sample, shape (n, a, b).

    Returns:
        Arrays of shape (a, a) and (b, b).

    Raises:
        ValueError: not a stack of matrices.
    """
    _check_stack(gradients)
    n = len(gradients)
    left = jnp.einsum("nij,nkj->ik", gradients, gradients, precision=HIGHEST) / n
    right = jnp.einsum("nij,nil->jl", gradients, gradients, precision=HIGHEST) / n
    return left, right


def gauss_newton_block(jacobian: jax.Array) -> jax.Array:
    """C = 2 sum_j vec(J_j) vec(J_j)^T.

    Args:
        jacobian: from `layer_jacobian`, shape (n, a, b).

    Returns:
        Shape (a b, a b).

    Raises:
        ValueError: not a stack of matrices.
    """
    _check_stack(jacobian)
    rows = jacobian.reshape(len(jacobian), -1)
    return 2 * jnp.matmul(rows.T, rows, precision=HIGHEST)


def nearest_kronecker(block: jax.Array, shape: tuple[int, int]) -> KroneckerProduct:
    """The Kronecker product nearest to a block in the Frobenius norm.

    For a positive semidefinite block both factors are so, too. Costs a singular value decomposition
    of shape (a^2, b^2).

    Args:
        block: shape (a b, a b).
        shape: (a, b) of the weight matrix.

    Raises:
        ValueError: the block does not have this shape.
    """
    (a, b), rearranged = shape, _rearranged(block, shape)
    u, sigma, v = jnp.linalg.svd(rearranged, full_matrices=False)
    left, right = u[:, 0].reshape(a, a), v[0].reshape(b, b)
    scale = jnp.where(jnp.trace(left) < 0, -1, 1) * jnp.sqrt(sigma[0])
    error = jnp.linalg.norm(sigma[1:]) / jnp.linalg.norm(sigma)
    return KroneckerProduct(scale * left, scale * right, error)


def kronecker_distance(block: jax.Array, left: jax.Array, right: jax.Array) -> jax.Array:
    """Relative Frobenius distance of a block from the best multiple of left (x) right.

    It is the sine of the angle between the two, 0 where they are proportional and at most 1.

    Args:
        block: shape (a b, a b).
        left: shape (a, a).
        right: shape (b, b).

    Raises:
        ValueError: the shapes do not fit.
    """
    rearranged = _rearranged(block, (len(left), len(right)))
    u, v = left.ravel() / jnp.linalg.norm(left), right.ravel() / jnp.linalg.norm(right)
    share = jnp.vdot(u, jnp.matmul(rearranged, v, precision=HIGHEST), precision=HIGHEST)
    return jnp.linalg.norm(rearranged - share * jnp.outer(u, v)) / jnp.linalg.norm(rearranged)


def _rearranged(block: jax.Array, shape: tuple[int, int]) -> jax.Array:
    a, b = shape
    if block.shape != (a * b, a * b):
        raise ValueError(
            f"the block of a matrix of shape {(a, b)} has shape {(a * b, a * b)}, got {block.shape}"
        )
    return block.reshape(a, b, a, b).transpose(0, 2, 1, 3).reshape(a * a, b * b)


def _check_stack(matrices: jax.Array) -> None:
    if jnp.ndim(matrices) != 3:
        raise ValueError(f"expected matrices of shape (n, a, b), got shape {jnp.shape(matrices)}")
