"""Weights of residual rows and loss terms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from pinnkit.problems import Problem


@dataclass(frozen=True, kw_only=True)
class CausalWeights:
    """Later times count only once earlier ones are solved (arXiv 2203.07404).

    Time is cut into equal chunks; the squared residuals of chunk i are multiplied by

        w_i = exp(-tolerance * sum_{k < i} L_k),    L_k = mean squared residual of chunk k,

    and no gradient flows through w_i.

    Args:
        tolerance: > 0, in units of 1 / loss; larger is stricter.
        chunks: number of chunks, >= 2.

    Raises:
        ValueError: an argument is out of range.
    """

    tolerance: float = 1.0
    chunks: int = 16

    def __post_init__(self):
        if not self.tolerance > 0:
            raise ValueError(f"tolerance must be positive, got {self.tolerance!r}")
        if not isinstance(self.chunks, Integral) or self.chunks < 2:
            raise ValueError(f"chunks must be an integer >= 2, got {self.chunks!r}")
        object.__setattr__(self, "chunks", int(self.chunks))

    def __call__(self, times: jax.Array, squares: jax.Array, interval) -> jax.Array:
        """Weight of every row.

        Args:
            times: shape (n,).
            squares: squared residual of each row, summed over the equations, shape (n,).
            interval: first and last time.
        """
        start, end = interval
        chunk = jnp.floor((times - start) / (end - start) * self.chunks).astype(jnp.int32)
        chunk = jnp.clip(chunk, 0, self.chunks - 1)
        total = jax.ops.segment_sum(squares, chunk, self.chunks)
        count = jax.ops.segment_sum(jnp.ones_like(squares), chunk, self.chunks)
        loss = total / jnp.maximum(count, 1)
        earlier = jnp.cumsum(loss) - loss
        return jax.lax.stop_gradient(jnp.exp(-self.tolerance * earlier))[chunk]


def check_weights(problem: Problem, weights: dict[str, float], terms: tuple[str, ...]) -> None:
    """Raise ValueError for a weight of an unknown term or one that is not positive."""
    for name, value in weights.items():
        if name not in terms:
            raise ValueError(
                f"unknown loss term {name!r}: {type(problem).__name__} trains {', '.join(terms)}"
            )
        if isinstance(value, str) or not 0 < value < math.inf:
            raise ValueError(f"the weight of {name!r} must be positive and finite, got {value!r}")
