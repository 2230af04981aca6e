"""Loss terms: residual vectors by name, and everything that follows from them.

`residuals` is the one place where a problem, a network and points meet. The loss, the
gradient of each term and so the alignment score are computed from its result.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from pinnkit.devices import over_points
from pinnkit.problems import Problem
from pinnkit.problems._checks import check_conditions
from pinnkit.weighting import CausalWeights, check_weights

Points = Mapping[str, jax.Array]
PyTree = Any


def residuals(
    problem: Problem,
    function: Callable[[jax.Array], jax.Array],
    points: Points,
    skip=(),
    micro_batch: int | None = None,
    mesh: Mesh | None = None,
) -> dict[str, jax.Array]:
    """Residual of every loss term at its points.

    Args:
        problem: gives the equation and the conditions.
        function: the network, or any function of one point of shape (d,).
        points: arrays of shape (n, d) for "interior" and for each condition.
        skip: names of conditions to leave out, because they hold exactly.
        micro_batch: points that are worked on at a time. What their gradient needs is computed
            anew then, so that memory does not grow with the number of points.
        mesh: over whose devices the points are divided.

    Returns:
        Arrays of shape (n,), or (n, k) for a condition on k quantities, by term.
    """
    regions = ("interior", *(c.name for c in problem.conditions() if c.name not in skip))
    rows = {}
    for region in regions:

        def at(point, region=region):
            return residuals_at(problem, function, region, point)

        at = at if micro_batch is None else jax.checkpoint(at)
        rows |= over_points(at, points[region], micro_batch, mesh)
    return rows


def residuals_at(
    problem: Problem, function: Callable, region: str, point: jax.Array
) -> dict[str, jax.Array]:
    """Residual of every loss term of one region at one point of shape (d,).

    Args:
        problem, function: as for `residuals`.
        region: "interior" or the name of a condition.
        point: where.
    """
    named = problem.field(function)
    if region == "interior":
        return problem.residual(named, point)
    (condition,) = (c for c in problem.conditions() if c.name == region)
    return {region: condition.residual(named, point)}


def term_names(problem: Problem, skip=()) -> tuple[str, ...]:
    """Names of the loss terms, those of the equation first."""
    equations = _trace(problem, problem.residual)
    conditions = [c.name for c in problem.conditions() if c.name not in skip]
    return (*equations, *conditions)


def check_terms(problem: Problem) -> None:
    """Evaluate every residual once, without numbers, so that mistakes are found before training.

    Raises:
        TypeError: a residual is not what it must be, or uses NumPy.
        ValueError: a condition is called like a term of the equation.
    """
    problem.check()
    conditions = check_conditions(problem)
    equations = _trace(problem, problem.residual)
    if not isinstance(equations, dict) or not equations:
        raise TypeError(
            "`residual` must return its loss terms by name, for example "
            f'{{"pde": u_t - u_xx}}, got {_kind(equations)}'
        )
    found = {f"the term {name!r} of `residual`": value for name, value in equations.items()}
    for condition in conditions:
        if condition.name in equations:
            raise ValueError(
                f"a condition is called {condition.name!r}, like a term of the equation: "
                "give it another name"
            )
        found[f"condition {condition.name!r}"] = _trace(problem, condition.residual)
    for where, value in found.items():
        if not isinstance(value, jax.ShapeDtypeStruct):
            raise TypeError(f"{where} must be an array, zero where it holds, got {_kind(value)}")


def _trace(problem: Problem, residual: Callable):
    """What a residual returns at one point, its arrays as shapes and dtypes."""
    n = len(problem.fields)
    zero = problem.field(lambda p: jnp.zeros((n,)) * p[0])
    point = jax.ShapeDtypeStruct((len(problem.coordinates),), jnp.float32)
    try:
        return jax.eval_shape(lambda p: residual(zero, p), point)
    except (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError) as error:
        error.add_note(
            "Residuals are compiled: write them with jax.numpy (jnp.sin), not with NumPy or "
            "math, and choose between values with jnp.where, not with if."
        )
        raise


def _kind(value) -> str:
    is_array = isinstance(value, jax.ShapeDtypeStruct)
    return f"an array of shape {value.shape}" if is_array else f"{value!r}"


@dataclass(frozen=True)
class Loss:
    """Mean squared residual of each term, and their weighted sum.

    Args:
        problem: gives the residuals.
        weights: factor of each term in the sum; 1 where none is given.
        causal: optional weighting of the equation's rows by time.
        skip: conditions that hold exactly.
        micro_batch, mesh: as for `residuals`.

    Raises:
        ValueError: a weight names no term or is not positive; causal weights without time.
        TypeError, ValueError: the problem is not well-defined, see `check_terms`.
    """

    problem: Problem
    weights: Mapping[str, float] = field(default_factory=dict)
    causal: CausalWeights | None = None
    skip: tuple[str, ...] = ()
    micro_batch: int | None = None
    mesh: Mesh | None = None

    def __post_init__(self):
        check_terms(self.problem)
        check_weights(self.problem, self.weights, self.terms)
        if self.causal is not None and "t" not in self.problem.coordinates:
            raise ValueError("causal weights need a coordinate 't'")

    @property
    def terms(self) -> tuple[str, ...]:
        return term_names(self.problem, self.skip)

    def with_weights(self, weights: Mapping[str, float | jax.Array]) -> Loss:
        """The same loss with other weights, which are not checked: they may be traced."""
        other = copy.copy(self)
        object.__setattr__(other, "weights", dict(weights))
        return other

    def by_term(self, function, points: Points) -> dict[str, jax.Array]:
        """Unweighted loss of each term, a scalar each (rows of the equation weighted)."""
        rows = residuals(self.problem, function, points, self.skip, self.micro_batch, self.mesh)
        squares = {name: _row_squares(r) for name, r in rows.items()}
        equations = [n for n in squares if n not in points]
        w = self.row_weights(sum(squares[n] for n in equations), points)
        squares |= {n: w * squares[n] for n in equations}
        return {name: jnp.mean(s) for name, s in squares.items()}

    def row_weights(self, squares: jax.Array, points: Points) -> jax.Array:
        """Factors of the interior points: of their sampling density, and causal ones.

        Args:
            squares: squared residual of the equations at each interior point, shape (n,).
            points: a sampler that does not draw uniformly gives the inverse of its density,
                relative to a uniform one, as points["inverse_density"].

        Returns:
            Shape (n,), or () where all are 1.
        """
        w = points.get("inverse_density", jnp.ones((), squares.dtype))
        if self.causal is not None:
            times = points["interior"][:, self.problem.coordinates.index("t")]
            w = w * self.causal(times, squares, self.problem.domain["t"])
        return w

    def squared_residual(self, function, points: jax.Array) -> jax.Array:
        """Squared residual at interior points (n, d), summed over the weighted equations: (n,)."""
        field = self.problem.field(function)
        rows = over_points(
            lambda p: self.problem.residual(field, p), points, self.micro_batch, self.mesh
        )
        return sum(self.weights.get(n, 1.0) * _row_squares(r) for n, r in rows.items())

    def total(self, by_term: Mapping[str, jax.Array]) -> jax.Array:
        """The weighted sum that is minimized."""
        return sum(self.weights.get(name, 1.0) * value for name, value in by_term.items())

    def gradients_by_term(
        self,
        losses: Callable[[PyTree, Points], Mapping[str, jax.Array]],
        params: PyTree,
        points: Points,
    ) -> dict[str, PyTree]:
        """Gradient of each weighted term; their sum is that of the total.

        Args:
            losses: maps parameters and points to the unweighted loss of each term.
            params: where to differentiate.
            points: by region.
        """

        def weighted(params, name):
            return self.weights.get(name, 1.0) * losses(params, points)[name]

        return {name: jax.grad(weighted)(params, name) for name in self.terms}


def _row_squares(rows: jax.Array) -> jax.Array:
    squares = rows**2
    return squares if squares.ndim == 1 else jnp.sum(squares.reshape(len(squares), -1), axis=1)
