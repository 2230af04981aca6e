"""Loss terms: residual vectors by name, and everything that follows from them.

`residuals` is the one place where a problem, a network and points meet. The loss, the
gradient of each term and so the alignment score are computed from its result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp

from pinnkit.derivatives import Field
from pinnkit.problems import Problem
from pinnkit.weighting import CausalWeights, check_weights

Points = Mapping[str, jax.Array]


def residuals(
    problem: Problem, function: Callable[[jax.Array], jax.Array], points: Points, skip=()
) -> dict[str, jax.Array]:
    """Residual of every loss term at its points.

    Args:
        problem: gives the equation and the conditions.
        function: the network, or any function of one point of shape (d,).
        points: arrays of shape (n, d) for "interior" and for each condition.
        skip: names of conditions to leave out, because they hold exactly.

    Returns:
        Arrays of shape (n,), or (n, k) for a condition on k quantities, by term.
    """
    named = problem.field(function)
    rows = jax.vmap(lambda p: problem.residual(named, p))(points["interior"])
    for condition in problem.conditions():
        if condition.name not in skip:
            rows[condition.name] = jax.vmap(
                lambda p, residual=condition.residual: residual(named, p)
            )(points[condition.name])
    return rows


def term_names(problem: Problem, skip=()) -> tuple[str, ...]:
    """Names of the loss terms, those of the equation first."""
    d, n = len(problem.coordinates), len(problem.fields)

    def equation(point):
        zero = Field(lambda p: jnp.zeros((n,)) * p[0], problem.coordinates, problem.fields)
        return problem.residual(zero, point)

    equations = jax.eval_shape(equation, jax.ShapeDtypeStruct((d,), jnp.float32))
    conditions = [c.name for c in problem.conditions() if c.name not in skip]
    return (*equations, *conditions)


@dataclass(frozen=True)
class Loss:
    """Mean squared residual of each term, and their weighted sum.

    Args:
        problem: gives the residuals.
        weights: factor of each term in the sum; 1 where none is given.
        causal: optional weighting of the equation's rows by time.
        skip: conditions that hold exactly.

    Raises:
        ValueError: a weight names no term or is not positive; causal weights without time.
    """

    problem: Problem
    weights: Mapping[str, float] = field(default_factory=dict)
    causal: CausalWeights | None = None
    skip: tuple[str, ...] = ()

    def __post_init__(self):
        check_weights(self.problem, self.weights, self.terms)
        if self.causal is not None and "t" not in self.problem.coordinates:
            raise ValueError("causal weights need a coordinate 't'")

    @property
    def terms(self) -> tuple[str, ...]:
        return term_names(self.problem, self.skip)

    def by_term(self, function, points: Points) -> dict[str, jax.Array]:
        """Unweighted loss of each term, a scalar each (rows weighted causally)."""
        rows = residuals(self.problem, function, points, self.skip)
        squares = {name: _row_squares(r) for name, r in rows.items()}
        if self.causal is not None:
            equations = [n for n in squares if n not in points]
            times = points["interior"][:, self.problem.coordinates.index("t")]
            total = sum(squares[n] for n in equations)
            w = self.causal(times, total, self.problem.domain["t"])
            squares |= {n: w * squares[n] for n in equations}
        return {name: jnp.mean(s) for name, s in squares.items()}

    def total(self, by_term: Mapping[str, jax.Array]) -> jax.Array:
        """The weighted sum that is minimized."""
        return sum(self.weights.get(name, 1.0) * value for name, value in by_term.items())


def _row_squares(rows: jax.Array) -> jax.Array:
    squares = rows**2
    return squares if squares.ndim == 1 else jnp.sum(squares.reshape(len(squares), -1), axis=1)
