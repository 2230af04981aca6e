"""How well do gradients agree? The alignment score and the interference matrix.

The score of n gradients v_1 .. v_n is

    A = 2 | mean_i v_i / |v_i| |^2 - 1                                  (arXiv 2502.00604)

It lies in [-1, 1]. For n = 2 it is the cosine of the angle between the two; n mutually
orthogonal gradients give 2/n - 1, the line against which a score is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

PyTree = Any


def alignment_score(gradients: Sequence[PyTree]) -> jax.Array:
    """Alignment score of two or more gradients.

    Args:
        gradients: vectors or pytrees of equal structure; their scale does not matter.

    Returns:
        A scalar in [-1, 1]. Inside `jit` it is nan where a gradient is zero or not finite.

    Raises:
        ValueError: fewer than two gradients, different structures or shapes or, outside
            `jit`, a gradient that is zero or not finite.
        TypeError: a gradient does not consist of floats.
    """
    _check_same_structure(gradients)
    vectors = [ravel_pytree(g)[0] for g in gradients]
    largest = [jnp.max(jnp.abs(v), initial=0.0) for v in vectors]
    _check_direction(largest)
    scaled = [v / m for v, m in zip(vectors, largest, strict=True)]
    mean = sum(v / jnp.linalg.norm(v) for v in scaled) / len(scaled)
    return jnp.clip(2 * jnp.vdot(mean, mean) - 1, -1.0, 1.0)


def orthogonal_score(n: int) -> float:
    """The score 2/n - 1 of n mutually orthogonal gradients."""
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"n must be a positive integer, got {n!r}")
    return 2 / n - 1


def alignment_by_layer(
    gradients: Sequence[PyTree], precondition: Callable[[PyTree], PyTree] | None = None
) -> dict[str, jax.Array]:
    """The score of each array of the gradients by itself, keyed by its path in the pytree.

    Arrays in which some gradient vanishes (a bias that no term depends on) give nan.

    Args:
        gradients: vectors or pytrees of equal structure.
        precondition: applied to each whole gradient first, so that the scores are those of the
            arrays' steps; see `preconditioner`.

    Raises:
        ValueError, TypeError: as for `alignment_score`.
    """
    _check_same_structure(gradients)
    if precondition is not None:
        gradients = [precondition(g) for g in gradients]
    leaves = [jax.tree_util.tree_leaves_with_path(g) for g in gradients]
    score = jax.jit(alignment_score)
    return {
        jax.tree_util.keystr(same[0][0], simple=True, separator="/"): score([g for _, g in same])
        for same in zip(*leaves, strict=True)
    }


def interference_matrix(
    gradients: Sequence[PyTree], precondition: Callable[[PyTree], PyTree] | None = None
) -> jax.Array:
    """First-order change of loss term j caused by the part of an update that term k asked for.

        I_jk = - g_j . P g_k

    Args:
        gradients: g_1 .. g_n, vectors or pytrees of equal structure.
        precondition: the linear map P applied to one gradient, for example that of an optimizer,
            see `preconditioner`; None is the identity, the update of gradient descent.

    Returns:
        Array of shape (n, n), in units of loss per unit of learning rate. A negative entry
        lowers term j. Zero off the diagonal means that the terms do not interfere.

    Raises:
        ValueError, TypeError: as for `alignment_score`, but zero gradients are allowed.
    """
    _check_same_structure(gradients)
    directions = gradients if precondition is None else [precondition(g) for g in gradients]
    return first_order_changes(gradients, directions)


def first_order_changes(gradients: Sequence[PyTree], directions: Sequence[PyTree]) -> jax.Array:
    """The matrix - g_j . d_k: change of term j along the negative of direction k."""
    g = jnp.stack([ravel_pytree(tree)[0] for tree in gradients])
    d = jnp.stack([ravel_pytree(tree)[0] for tree in directions])
    return -jnp.matmul(g, d.T, precision=jax.lax.Precision.HIGHEST)


def normalized_interference(matrix: jax.Array) -> jax.Array:
    """The interference matrix in units of what each term does for itself.

        C_jk = I_jk / sqrt(I_jj I_kk)

    For a symmetric positive P it is minus the matrix of cosines in the metric of P: -1 on the
    diagonal, entries in [-1, 1], positive where two terms hinder each other, and it does not
    depend on weights, step length or the factor up to which P is known. The alignment score in
    that metric is -2 mean(C) - 1.

    Args:
        matrix: I, shape (.., n, n).

    Returns:
        C, of the same shape; nan in the row and column of a term that its own part of the step
        does not lower.
    """
    own = jnp.sqrt(-jnp.diagonal(matrix, axis1=-2, axis2=-1))
    return matrix / (own[..., :, None] * own[..., None, :])


def _check_same_structure(gradients: Sequence[PyTree]) -> None:
    if not isinstance(gradients, Sequence) or len(gradients) < 2:
        got = len(gradients) if isinstance(gradients, Sequence) else type(gradients).__name__
        raise ValueError(f"expected a list of two or more gradients, got {got}")
    shapes = [jax.tree.map(jnp.shape, g) for g in gradients]
    for i, shape in enumerate(shapes[1:], start=1):
        if shape != shapes[0]:
            raise ValueError(
                f"gradient {i} has shapes {shape}, gradient 0 has {shapes[0]}: "
                "all must belong to the same parameters"
            )
    for i, g in enumerate(gradients):
        kinds = {jnp.result_type(leaf).name for leaf in jax.tree.leaves(g)}
        if not kinds:
            raise ValueError(f"gradient {i} is empty: expected at least one array")
        if not all(jnp.issubdtype(kind, jnp.floating) for kind in kinds):
            raise TypeError(f"gradient {i} has dtypes {sorted(kinds)}: expected floats")


def _check_direction(largest: Sequence[jax.Array]) -> None:
    if any(isinstance(m, jax.core.Tracer) for m in largest):
        return
    for i, m in enumerate(largest):
        if not np.isfinite(m):
            raise ValueError(f"gradient {i} is not finite: it has no direction to align")
        if m == 0:
            raise ValueError(
                f"gradient {i} is zero: it has no direction to align; leave that term out"
            )
