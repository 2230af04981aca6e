"""Alignment of noisy gradients: what of a score is signal, and what the draw of points.

Gradients of minibatches scatter about their mean; so do their scores, and the score of one batch
is drawn towards 2/n - 1 by noise that the terms do not share. Statistics over a stream of batches
tell both apart, without storing gradients:

    state = streaming.init(gradients)                    # of the terms, for shapes and dtype
    state = streaming.update(state, gradients)           # once for each batch; in lax.scan, too
    statistics = streaming.result(state)

Means and variances by Welford's recursion (1962, Technometrics 4, 419); the standard error of the
score of the mean gradients by the jackknife over groups of batches (Quenouille 1956; Efron 1982).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from pinnkit.alignment import alignment_score

PyTree = Any


class StreamingState(NamedTuple):
    """Running statistics of the gradients of n terms, p parameters, K groups of batches.

    Attributes:
        count: batches so far.
        score: mean score of a batch.
        score_squares: sum of squared deviations from it.
        mean: mean gradients, shape (n, p), in the order of `ravel_pytree`.
        squares: sums of squared distances from them, shape (n,).
        group_means: mean gradients of the batches b with b mod K = k, shape (K, n, p).
    """

    count: jax.Array
    score: jax.Array
    score_squares: jax.Array
    mean: jax.Array
    squares: jax.Array
    group_means: jax.Array


class StreamingStatistics(NamedTuple):
    """What a stream of batches tells.

    Attributes:
        count: number of batches.
        score: mean over the batches of the score of each.
        score_spread: standard deviation of that score from batch to batch.
        score_of_means: score of the mean gradients, in which the noise has averaged out.
        standard_error: of the score of the means; nan with less than a batch in each group.
        signal_to_noise: for each term |E g|^2 / E |g - E g|^2, shape (n,). Below 1, the gradient
            of one batch is mostly noise. The estimate of |E g|^2 is free of bias, and hence
            negative at times where it is lost in the noise.
        mean: mean gradients, shape (n, p), in the order of `ravel_pytree`.
    """

    count: jax.Array
    score: jax.Array
    score_spread: jax.Array
    score_of_means: jax.Array
    standard_error: jax.Array
    signal_to_noise: jax.Array
    mean: jax.Array


def init(gradients: Sequence[PyTree], groups: int = 8) -> StreamingState:
    """The state before the first batch.

    Args:
        gradients: of the terms, for their number, shapes and dtype only.
        groups: K, of the jackknife; memory for K + 1 gradients of each term is held.

    Raises:
        ValueError: fewer than two gradients, or fewer than two groups.
    """
    if len(gradients) < 2:
        raise ValueError(f"expected the gradients of two or more terms, got {len(gradients)}")
    if not isinstance(groups, int) or groups < 2:
        raise ValueError(f"groups must be an integer >= 2, got {groups!r}")
    zeros = jnp.zeros_like(_rows(gradients))
    zero = jnp.zeros((), zeros.dtype)
    return StreamingState(
        count=jnp.zeros((), jnp.int32),
        score=zero,
        score_squares=zero,
        mean=zeros,
        squares=jnp.zeros(len(zeros), zeros.dtype),
        group_means=jnp.tile(zeros, (groups, 1, 1)),
    )


@jax.jit
def update(state: StreamingState, gradients: Sequence[PyTree]) -> StreamingState:
    """The state after the gradients of one more batch; of the same structure as at the start."""
    rows = _rows(gradients)
    count = state.count + 1
    score = _score(rows)
    score_mean = state.score + (score - state.score) / count
    mean = state.mean + (rows - state.mean) / count
    groups = len(state.group_means)
    group, group_count = state.count % groups, state.count // groups + 1
    old = state.group_means[group]
    return StreamingState(
        count=count,
        score=score_mean,
        score_squares=state.score_squares + (score - state.score) * (score - score_mean),
        mean=mean,
        squares=state.squares + jnp.sum((rows - state.mean) * (rows - mean), axis=1),
        group_means=state.group_means.at[group].set(old + (rows - old) / group_count),
    )


@jax.jit
def result(state: StreamingState) -> StreamingStatistics:
    """The statistics so far; those that need two batches or more are nan before."""
    count, groups = state.count, len(state.group_means)
    own = count // groups + (jnp.arange(groups) < count % groups)
    rest = (count - own)[:, None, None]
    without = (count * state.mean - own[:, None, None] * state.group_means) / rest
    scores = jnp.where(count >= groups, jax.vmap(_score)(without), jnp.nan)
    deviations = scores - jnp.mean(scores)
    degrees = jnp.where(count > 1, count - 1, jnp.nan)
    noise = state.squares / degrees
    signal = jnp.sum(state.mean**2, axis=1) - noise / count
    return StreamingStatistics(
        count=count,
        score=jnp.where(count > 0, state.score, jnp.nan),
        score_spread=jnp.sqrt(state.score_squares / degrees),
        score_of_means=_score(state.mean),
        standard_error=jnp.sqrt((groups - 1) / groups * jnp.sum(deviations**2)),
        signal_to_noise=signal / noise,
        mean=state.mean,
    )


def _rows(gradients: Sequence[PyTree]) -> jax.Array:
    return jnp.stack([ravel_pytree(g)[0] for g in gradients])


def _score(rows: jax.Array) -> jax.Array:
    return alignment_score(list(rows))
