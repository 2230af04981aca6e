"""What every problem has: coordinates, fields, a domain, an equation and its conditions."""

from __future__ import annotations

import abc
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import jax

from pinnkit.derivatives import Field
from pinnkit.problems._checks import DECLARED, check_domain
from pinnkit.problems._condition import Condition
from pinnkit.recipes import Recipe

if TYPE_CHECKING:
    from pinnkit.references import Reference


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

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        for name, kind in inspect.get_annotations(cls).items():
            shared = name in DECLARED and "ClassVar" not in str(kind)
            if shared and isinstance(vars(cls).get(name), dict | list | set):
                raise TypeError(
                    f"{cls.__name__}.{name} belongs to the class: write `{name} = ...` without an "
                    "annotation, which would make it a parameter"
                )

    def __post_init__(self):
        self.check()

    def check(self) -> None:
        """Check what the class declares, as `pinnkit.network` and `pinnkit.fit` do.

        Raises:
            TypeError: something is missing or of the wrong kind.
            ValueError: names, the domain or the hard terms do not fit together.
        """
        for name, example in DECLARED.items():
            if not hasattr(self, name):
                raise TypeError(
                    f"{type(self).__name__} lacks `{name}`: write in the class, for example, "
                    f"{name} = {example}"
                )
        self.field(lambda point: point)
        check_domain(self.domain, self.coordinates)
        unknown = set(self.periodic) - set(self.coordinates)
        if unknown:
            raise ValueError(f"periodic names {unknown}, not among {self.coordinates}")
        if isinstance(self.hard_terms, str):
            raise TypeError(
                f"hard_terms must be a tuple of names, got {self.hard_terms!r}: a tuple of one "
                f"name ends in a comma, ({self.hard_terms!r},)"
            )

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

        Raises:
            ValueError: a field is missing.
        """
        missing = [name for name in self.fields if name not in values]
        if missing:
            raise ValueError(
                f"the reference lacks the fields {missing}, it has {[*values]}: define "
                "`observables(self, values)` if other quantities are to be compared"
            )
        return {name: values[name] for name in self.fields}

    def impose(self, point: jax.Array, output: jax.Array) -> jax.Array:
        """A network output of shape (n_fields,) changed so that hard conditions hold exactly."""
        raise NotImplementedError(
            f"{type(self).__name__} has no hard conditions: define "
            "`impose(self, point, output)` or train them as loss terms"
        )

    def enrichment(self, point: jax.Array) -> jax.Array:
        """What a network need not learn, added to its output: an array of shape (n_fields,).

        A function that is as singular as the solution leaves the network a smooth rest.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no enrichment: define `enrichment(self, point)` or build "
            "the network with enriched=False"
        )

    hard_terms: ClassVar[tuple[str, ...]] = ()
    """Names of the conditions that `impose` satisfies."""

    def field(self, function: Callable[[jax.Array], jax.Array]) -> Field:
        """Give a function of a point this problem's coordinate and field names."""
        return Field(function, self.coordinates, self.fields)
