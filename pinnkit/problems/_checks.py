"""Whether a problem is well-defined, said in words that help."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING

from pinnkit.problems._condition import Condition

if TYPE_CHECKING:
    from pinnkit.problems._base import Problem
    from pinnkit.references import Reference

DECLARED = {
    "coordinates": '("t", "x")',
    "fields": '("u",)',
    "domain": '{"t": (0.0, 1.0), "x": (-1.0, 1.0)}',
    "periodic": '("x",)',
    "hard_terms": '("initial",)',
    "presets": '{"laptop": pinnkit.recipes.Recipe(...)}',
}
"""What a class declares, with an example of each."""


def check_conditions(problem: Problem) -> tuple[Condition, ...]:
    """The problem's conditions, if each is well-defined.

    Raises:
        TypeError: they are no tuple of conditions.
        ValueError: two have one name, one lies outside the domain, or a hard term is unknown.
    """
    conditions = problem.conditions()
    if not isinstance(conditions, tuple | list) or not all(
        isinstance(c, Condition) for c in conditions
    ):
        raise TypeError(
            f"`conditions` must return a tuple of conditions, such as (Condition(...),) or, if "
            f"there is none, (), got {conditions!r}"
        )
    names = [c.name for c in conditions]
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"the name of a condition must be a string, got {name!r}")
        if name == "interior":
            raise ValueError("a condition cannot be called 'interior': those are the equation's")
        if names.count(name) > 1:
            raise ValueError(
                f"{names.count(name)} conditions are called {name!r}: give each its own name"
            )
    for condition in conditions:
        _check_faces(condition, problem)
    unknown = [name for name in problem.hard_terms if name not in names]
    if unknown:
        raise ValueError(f"hard_terms names {unknown}, not among the conditions {names}")
    return tuple(conditions)


def _check_faces(condition: Condition, problem: Problem) -> None:
    where = f"condition {condition.name!r}"
    if not callable(condition.residual):
        raise TypeError(
            f"{where} needs a function of (field, point) as its residual, got "
            f"{condition.residual!r}"
        )
    if not isinstance(condition.at, Mapping):
        raise TypeError(f'{where} must hold `at` a mapping such as {{"t": (0.0,)}}')
    for name, values in condition.at.items():
        if name not in problem.coordinates:
            raise ValueError(
                f"{where} holds at the coordinate {name!r}, but there are only "
                f"{problem.coordinates}"
            )
        if not isinstance(values, tuple | list) or not values:
            raise TypeError(
                f"{where} must hold at a tuple of values of '{name}', such as (0.0,), "
                f"got {values!r}"
            )
        low, high = problem.domain[name]
        for value in values:
            if not (isinstance(value, Real) and low <= value <= high):
                raise ValueError(
                    f"{where} holds at {name} = {value!r}, outside the domain [{low}, {high}]"
                )


def check_domain(domain: Mapping[str, tuple[float, float]], coordinates) -> None:
    if not isinstance(domain, Mapping):
        raise TypeError(
            f"domain must give an interval by coordinate, such as "
            f"{{'{coordinates[0]}': (0.0, 1.0)}}, got {domain!r}"
        )
    if set(domain) != set(coordinates):
        raise ValueError(f"domain must name the coordinates {coordinates}, got {tuple(domain)}")
    for name, interval in domain.items():
        pair = isinstance(interval, tuple | list) and len(interval) == 2
        if not pair or not all(isinstance(end, Real) for end in interval):
            raise TypeError(
                f"the domain along '{name}' must be two numbers such as (0.0, 1.0), "
                f"got {interval!r}"
            )
        low, high = interval
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(
                f"the domain is empty or not finite along '{name}': got [{low}, {high}], "
                "expected low < high"
            )


def check_reference(problem: Problem, reference: Reference) -> None:
    """Raise ValueError unless a reference has the problem's coordinates in their order."""
    if tuple(reference.axes) != tuple(problem.coordinates):
        raise ValueError(
            f"the reference has axes {tuple(reference.axes)}, the problem has coordinates "
            f"{problem.coordinates}: give the reference the same, in the same order"
        )


def positive(name: str, value: float) -> None:
    """Raise ValueError unless a physical parameter is positive and finite."""
    if not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be positive and finite, got {value!r}")
