"""Loss weights that are computed during training, so that no term drowns the others.

Every `every` steps each weight moves towards the ratio of all terms' sizes to its own,

    w_k <- momentum w_k + (1 - momentum) sum_j s_j / s_k,

and is constant in between. What is called the size s_k of a term tells the methods apart.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

import jax
import jax.numpy as jnp
import optax

from pinnkit.terms import Loss, Points, residuals_at

PyTree = Any
Network = Callable[[PyTree], Callable[[jax.Array], jax.Array]]
CHUNK = 64


@dataclass(frozen=True, kw_only=True)
class AdaptiveWeights(ABC):
    """Weights that follow the sizes of the loss terms; a subclass says what size is.

    Args:
        every: steps between two updates, the first of them after as many.
        momentum: share of the old weight that an update keeps, in [0, 1).
        start: weights until the first update; 1 where none is given.

    Raises:
        ValueError: an argument is out of range.
        TypeError: `start` is no mapping.
    """

    every: int = 1000
    momentum: float = 0.9
    start: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self):
        if isinstance(self.every, bool) or not isinstance(self.every, Integral) or self.every < 1:
            raise ValueError(f"every must be an integer >= 1, got {self.every!r}")
        if not (isinstance(self.momentum, Real) and 0 <= self.momentum < 1):
            raise ValueError(f"momentum must lie in [0, 1), got {self.momentum!r}")
        if not isinstance(self.start, Mapping):
            raise TypeError(
                'start must be factors by loss term, for example {"initial": 10.0}, '
                f"got {type(self.start).__name__}"
            )

    @abstractmethod
    def sizes(
        self, loss: Loss, network: Network, params: PyTree, points: Points
    ) -> dict[str, jax.Array]:
        """Size of each term of the loss without its weights, a scalar >= 0 each.

        Args:
            loss: gives terms and residuals.
            network: maps parameters to a function of one point.
            params: the current parameters.
            points: by region, as a sampler returns them.
        """

    def __call__(
        self, loss: Loss, network: Network, params: PyTree, points: Points
    ) -> dict[str, jax.Array]:
        """The weights that follow those of the loss.

        A term whose size is zero or not finite keeps its weight.
        """
        sizes = self.sizes(loss.with_weights({}), network, params, points)
        total = sum(sizes.values())
        weights = {}
        for name, size in sizes.items():
            old = jnp.asarray(loss.weights.get(name, 1.0), size.dtype)
            ratio = total / jnp.where(size > 0, size, math.nan)
            new = self.momentum * old + (1 - self.momentum) * ratio
            weights[name] = jnp.where(jnp.isfinite(new), new, old)
        return weights


@dataclass(frozen=True, kw_only=True)
class GradientNormWeights(AdaptiveWeights):
    """Weights under which every term has a gradient of the same norm.

    s_k = |grad L_k|, the norm over all parameters: the form of Wang, Sankaran, Wang and Perdikaris
    2023 (arXiv 2308.08468). That of Wang, Teng and Perdikaris 2021 (arXiv 2001.04536), who began
    it, is max |grad L_pde| / mean |grad L_k| over the parameters, and leaves the equation's weight
    at 1. An update costs one gradient a term.
    """

    def sizes(self, loss, network, params, points):
        def losses(params, points):
            return loss.by_term(network(params), points)

        gradients = loss.gradients_by_term(losses, params, points)
        return {name: optax.tree.norm(g) for name, g in gradients.items()}


@dataclass(frozen=True, kw_only=True)
class TangentKernelWeights(AdaptiveWeights):
    """Weights under which every term converges equally fast, as its tangent kernel has it.

    With J_k the Jacobian of the residuals of term k by the parameters, K_k = J_k J_k^T is the
    term's neural tangent kernel, and Tr K / Tr K_k its weight (Wang, Yu and Perdikaris 2022,
    arXiv 2007.14527). There a loss is the sum of squared residuals and the trace the sum of the
    squared rows of J_k; here a loss is the mean over n_k points, so s_k is their mean,
    Tr K_k / n_k, as in arXiv 2308.08468: the number of points does not matter. Rows
    count as they do in the loss, with their causal weight and their inverse density.

    An update costs one gradient a residual, at 64 points at a time; no Jacobian is kept.
    """

    def sizes(self, loss, network, params, points):
        problem = loss.problem

        def squared_rows(region, point):
            def at_point(params):
                return residuals_at(problem, network(params), region, point)

            rows = jax.jacrev(at_point)(params)
            return {name: optax.tree.norm(row, squared=True) for name, row in rows.items()}

        sizes = {}
        for region in ("interior", *(t for t in loss.terms if t in points)):
            squares = jax.lax.map(
                lambda point, region=region: squared_rows(region, point),
                points[region],
                batch_size=CHUNK,
            )
            w = self._row_weights(loss, network(params), points) if region == "interior" else 1.0
            sizes |= {name: jnp.mean(w * s) for name, s in squares.items()}
        return sizes

    def _row_weights(self, loss, function, points):
        squares = loss.squared_residual(function, points["interior"])
        return loss.row_weights(squares, points)
