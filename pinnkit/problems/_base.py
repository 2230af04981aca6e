"""What every problem has: coordinates, fields, a domain, an equation and its conditions."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp

from pinnkit.derivatives import Field
from pinnkit.recipes import Recipe

if TYPE_CHECKING:
    from pinnkit.references import Reference


@dataclass(frozen=True)
class Condition:
    """An initial or boundary condition: a residual that must vanish on some faces of the domain.

    Args:
        name: the loss term it belongs to, such as "initial".
        at: the coordinate that is held fixed and the values it takes, for example
            {"t": (0.0,)} or, for both ends of an interval, {"x": (0.0, 1.0)}.
        residual: maps (field, point) to a scalar or a vector, zero where the condition holds.
    """

    name: str
    at: Mapping[str, tuple[float, ...]]
    residual: Callable[[Field, jax.Array], jax.Array] = field(repr=False)


def starts_from(state: Callable[[jax.Array], jax.Array], t: float = 0.0) -> Condition:
    """The condition "initial": at time t the fields are those of a given state.

    Args:
        state: maps a point of shape (d,) to the fields, shape (n_fields,), or () for one field.
        t: the first time of the domain.
    """

    def initial(field, point):
        given = state(point)
        return jnp.reshape(field(point), jnp.shape(given)) - given

    return Condition("initial", {"t": (t,)}, initial)


class Problem(abc.ABC):
    """Base class of all problems; subclasses are frozen dataclasses with keyword-only physics.

    Class attributes:
        coordinates: one letter each, in the order of a point's entries; "t" is time.
        fields: names of the unknowns, in the order of the network's outputs.
        domain: closed interval of each coordinate.
        periodic: the coordinates in which the solution repeats itself.
        presets: recipes by name, see `pinnkit.solve`.
    """

    coordinates: ClassVar[tuple[str, ...]]
    fields: ClassVar[tuple[str, ...]] = ("u",)
    domain: Mapping[str, tuple[float, float]]
    periodic: ClassVar[tuple[str, ...]] = ()
    presets: ClassVar[Mapping[str, Recipe]] = {}

    def __post_init__(self):
        if set(self.domain) != set(self.coordinates):
            raise ValueError(
                f"domain must name the coordinates {self.coordinates}, got {tuple(self.domain)}"
            )
        for name, (low, high) in self.domain.items():
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ValueError(
                    f"the domain is empty or not finite along '{name}': got [{low}, {high}], "
                    "expected low < high"
                )
        unknown = set(self.periodic) - set(self.coordinates)
        if unknown:
            raise ValueError(f"periodic names {unknown}, not among {self.coordinates}")

    @abc.abstractmethod
    def residual(self, field: Field, point: jax.Array) -> dict[str, jax.Array]:
        """The equation's residual at one point of shape (d,), one scalar for each loss term."""

    @abc.abstractmethod
    def conditions(self) -> tuple[Condition, ...]:
        """Initial and boundary conditions; periodicity is built into the network instead."""

    def reference(self) -> Reference:
        """A trusted solution with its own error estimate."""
        raise NotImplementedError(
            f"{type(self).__name__} has no reference solution: define "
            "`reference(self) -> pinnkit.Reference` to have errors measured"
        )

    def observables(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What is compared with the reference: functions of the fields, by default the fields.

        Args:
            values: arrays of one shape by field, of a prediction or of the reference.
        """
        return {name: values[name] for name in self.fields}

    def impose(self, point: jax.Array, output: jax.Array) -> jax.Array:
        """A network output of shape (n_fields,) changed so that hard conditions hold exactly."""
        raise NotImplementedError(
            f"{type(self).__name__} has no hard conditions: define "
            "`impose(self, point, output)` or train them as loss terms"
        )

    hard_terms: ClassVar[tuple[str, ...]] = ()
    """Names of the conditions that `impose` satisfies."""

    def field(self, function: Callable[[jax.Array], jax.Array]) -> Field:
        """Give a function of a point this problem's coordinate and field names."""
        return Field(function, self.coordinates, self.fields)


def positive(name: str, value: float) -> None:
    """Raise ValueError unless a physical parameter is positive and finite."""
    if not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be positive and finite, got {value!r}")
