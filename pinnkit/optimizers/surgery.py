"""Gradient surgery: one update from the gradients of several loss terms that may conflict.

Two gradients conflict when their inner product is negative: a step along the one raises the
loss of the other. Both methods here replace the incoming update and are chained before any
first-order optimizer,

    optax.chain(pcgrad(), optax.adam(1e-3)),

whose `update` then needs the extra argument `gradients_by_term`: a function without arguments
that returns the gradient of each term by name. `pinnkit.fit` passes it, with the terms' weights in
the gradients; each step then costs one backward pass a term beside that of the total. A line
search measures along the gradient of the total, so `optax.lbfgs` and the like do not go with them.

The result is a combination of the gradients, whose coefficients follow from the cosines between
them, a small matrix, and from their norms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

PyTree = Any


class PCGradState(NamedTuple):
    """State of `pcgrad`.

    Attributes:
        count: steps taken, from which the orders of the projections are drawn.
    """

    count: jax.Array


def pcgrad(seed: int = 0) -> optax.GradientTransformationExtraArgs:
    """Projecting conflicting gradients (Yu et al. 2020, arXiv 2001.06782, algorithm 1).

    From each gradient its component along every other that it conflicts with is taken away, one
    after the other in random order; the results are added up. Gradients that agree are left
    alone, and the update is their sum.

    Args:
        seed: of the random orders.

    Returns:
        An optax transformation whose `update` raises ValueError without `gradients_by_term`.
    """

    def init(params):
        del params
        return PCGradState(jnp.zeros((), jnp.int32))

    def update(updates, state, params=None, *, gradients_by_term=None, **extra):
        del params, extra
        key = jax.random.fold_in(jax.random.key(seed), state.count)
        following = PCGradState(optax.safe_increment(state.count))
        return _combine(
            "pcgrad", updates, gradients_by_term, lambda c, n: projected(c, n, key)
        ), following

    return optax.GradientTransformationExtraArgs(init, update)


def conflict_free() -> optax.GradientTransformationExtraArgs:
    """Conflict-free inverse gradients, ConFIG (Liu, Chu and Thuerey 2024, arXiv 2408.11104).

    The update has the same cosine, which is positive, with every gradient, however long or short
    they are: it solves U x = 1, U the matrix of unit gradients, by least squares. Its length is
    the sum of the gradients' projections on it. Gradients that are opposed have no such
    direction and give zero.

    Returns:
        An optax transformation whose `update` raises ValueError without `gradients_by_term`.
    """

    def update(updates, state, params=None, *, gradients_by_term=None, **extra):
        del params, extra
        return _combine("conflict_free", updates, gradients_by_term, equally_aligned), state

    return optax.GradientTransformationExtraArgs(optax.init_empty_state, update)


def projected(cosines: jax.Array, norms: jax.Array, key: jax.Array) -> jax.Array:
    """Coefficients of the unit gradients in PCGrad's update.

    Args:
        cosines: inner products of the m unit gradients, shape (m, m); 0 for one that is zero.
        norms: of the gradients, shape (m,).
        key: of the random orders.
    """
    m = len(norms)

    def one(i, key):
        def project(coefficients, j):
            along = jnp.where(j == i, 0, jnp.minimum(_product(cosines[j], coefficients), 0))
            return coefficients.at[j].add(-along), None

        order = jax.random.permutation(key, m)
        start = jnp.zeros_like(norms).at[i].set(norms[i])
        return jax.lax.scan(project, start, order)[0]

    return jnp.sum(jax.vmap(one)(jnp.arange(m), jax.random.split(key, m)), axis=0)


def equally_aligned(cosines: jax.Array, norms: jax.Array) -> jax.Array:
    """Coefficients of the unit gradients in ConFIG's update; arguments as for `projected`."""
    x = _product(jnp.linalg.pinv(cosines, hermitian=True), jnp.ones_like(norms))
    square = _product(x, _product(cosines, x))
    rounding = 10 * len(norms) * jnp.finfo(norms.dtype).eps
    direction = x / jnp.sqrt(jnp.maximum(square, rounding))
    return _product(norms, _product(cosines, direction)) * direction


def _combine(name: str, updates: PyTree, gradients_by_term: Callable | None, rule) -> PyTree:
    if gradients_by_term is None:
        raise ValueError(
            f"{name} needs the gradient of every loss term: call update(gradient, state, params, "
            "gradients_by_term=lambda: {name: gradient of that term}), or let pinnkit.fit do it"
        )
    gradients = gradients_by_term()
    unravel = ravel_pytree(updates)[1]
    rows = jnp.stack([ravel_pytree(gradient)[0] for gradient in gradients.values()])
    largest = jnp.max(jnp.abs(rows), axis=1)
    scaled = rows / jnp.where(largest > 0, largest, 1)[:, None]
    lengths = jnp.linalg.norm(scaled, axis=1)
    unit = scaled / jnp.where(lengths > 0, lengths, 1)[:, None]
    coefficients = rule(_product(unit, unit.T), largest * lengths)
    return unravel(_product(coefficients, unit))


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
