"""Partial derivatives of a field at a point.

    u, u_t, u_x, u_xx = partials(field, point, "u u_t u_x u_xx")

All of them come from one Taylor-mode pass (`pinnkit.taylor`), whose cost grows with the
number of distinct derivatives and not, as for nested `jax.grad`, exponentially with the order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from pinnkit.taylor import taylor_coefficients


@dataclass(frozen=True)
class Field:
    """A function of a point whose inputs and outputs have names.

    Args:
        function: maps an array of shape (d,) to an array of shape (n_fields,), or of shape ()
            if there is one field.
        coordinates: one letter for each input, such as ("t", "x").
        fields: the name of each output, without underscore, such as ("u", "v", "p").

    Raises:
        TypeError: coordinates or fields are no tuple of names.
        ValueError: a coordinate is not a single letter, a field has an underscore or no name, or
            a name occurs twice.
    """

    function: Callable[[jax.Array], jax.Array]
    coordinates: tuple[str, ...]
    fields: tuple[str, ...] = ("u",)

    def __post_init__(self):
        _check_names("coordinates", self.coordinates, '("t", "x")')
        _check_names("fields", self.fields, '("u",)')
        if any(len(c) != 1 or not c.isalpha() for c in self.coordinates):
            raise ValueError(f"coordinates must be single letters, got {self.coordinates}")
        if any("_" in f or not f for f in self.fields):
            raise ValueError(
                f"a field's name must have no underscore, got {self.fields}: in 'u_x' it begins "
                "the coordinates of a derivative"
            )
        names = self.coordinates + self.fields
        if len(set(names)) < len(names):
            raise ValueError(f"coordinates and fields must have distinct names, got {names}")

    def __call__(self, point: jax.Array) -> jax.Array:
        return self.function(point)

    def parse(self, name: str) -> tuple[int, tuple[int, ...]]:
        """Index of the field and multi-index of a derivative such as "u_xx".

        Raises:
            ValueError: the field or a coordinate is unknown.
        """
        field, _, along = name.partition("_")
        if field not in self.fields:
            raise ValueError(f"unknown field '{field}' in '{name}': fields are {self.fields}")
        unknown = [c for c in along if c not in self.coordinates]
        if unknown or name.endswith("_"):
            raise ValueError(
                f"unknown derivative '{name}': after '{field}_' write coordinates of "
                f"{self.coordinates}, for example '{field}_{self.coordinates[-1] * 2}'"
            )
        return self.fields.index(field), tuple(along.count(c) for c in self.coordinates)


def partials(
    field: Field, point: jax.Array, names: str, *, method: str = "taylor"
) -> tuple[jax.Array, ...]:
    """The field's partial derivatives, by name, at one point.

    Args:
        field: named inputs and outputs.
        point: floating-point array of shape (d,); batch with `jax.vmap`.
        names: names separated by blanks: "u u_t u_xx v_xy".
        method: "taylor", or "nested" forward mode, which knows every JAX operation but costs
            2^order passes for each derivative.

    Returns:
        One scalar for each name, in the units of field over coordinates.

    Raises:
        ValueError: unknown field, derivative or method, or a point of the wrong shape.
        TypeError: the point is not an array of floats, or the names are not one string.
    """
    _check_point(field, point)
    if not isinstance(names, str):
        raise TypeError(
            f"names must be one string such as 'u u_t u_xx', got {type(names).__name__}: {names!r}"
        )
    wanted = [field.parse(name) for name in names.split()]
    if not wanted:
        raise ValueError("no derivative asked for: write names such as 'u u_t u_xx'")
    multi_indices = {a for _, a in wanted}
    if method == "taylor":
        coefficients = taylor_coefficients(field.function, point, multi_indices)
        table = {a: c * math.prod(map(math.factorial, a)) for a, c in coefficients.items()}
    elif method == "nested":
        table = {a: _nested(field.function, a)(point) for a in multi_indices}
    else:
        raise ValueError(f"unknown method '{method}': expected 'taylor' or 'nested'")
    return tuple(jnp.reshape(table[a], (len(field.fields),))[i] for i, a in wanted)


def along(field: Field, point: jax.Array, coordinate: str, order: int) -> tuple[jax.Array, ...]:
    """A single field and its derivatives along one coordinate, up to `order`.

    `u, u_x, u_xx = along(field, point, "x", order=2)`. Arguments and errors as for `partials`.
    """
    if len(field.fields) != 1:
        raise ValueError(f"along takes one field, got {field.fields}: use partials with names")
    if not isinstance(order, int) or order < 0:
        raise ValueError(f"order must be an integer >= 0, got {order!r}")
    (name,) = field.fields
    names = [name] + [f"{name}_{coordinate * k}" for k in range(1, order + 1)]
    return partials(field, point, " ".join(names))


def laplacian(field: Field, point: jax.Array, name: str = "u") -> jax.Array:
    """Sum of the unmixed second derivatives of one field over the spatial coordinates.

    Every coordinate but "t" counts as spatial. Arguments and errors as for `partials`.
    """
    space = [c for c in field.coordinates if c != "t"]
    second = partials(field, point, " ".join(f"{name}_{c}{c}" for c in space))
    return sum(second[1:], second[0])


def _nested(function: Callable, multi_index: tuple[int, ...]) -> Callable:
    for axis, order in enumerate(multi_index):
        for _ in range(order):
            function = _derivative(function, axis)
    return function


def _derivative(function: Callable, axis: int) -> Callable:
    def derivative(point):
        direction = jnp.zeros_like(point).at[axis].set(1)
        return jax.jvp(function, (point,), (direction,))[1]

    return derivative


def _check_names(what: str, names: tuple[str, ...], example: str) -> None:
    if not (isinstance(names, tuple) and names and all(isinstance(n, str) for n in names)):
        comma = ": a tuple of one name ends in a comma" if isinstance(names, str) else ""
        raise TypeError(f"{what} must be a tuple of names such as {example}, got {names!r}{comma}")


def _check_point(field: Field, point: jax.Array) -> None:
    if not hasattr(point, "dtype") or not jnp.issubdtype(point.dtype, jnp.floating):
        kind = getattr(point, "dtype", type(point).__name__)
        raise TypeError(
            f"a point must be an array of floats, got {kind}: use jnp.asarray([0.5, 0.])"
        )
    expected = (len(field.coordinates),)
    if point.shape != expected:
        raise ValueError(
            f"a point of {field.coordinates} has shape {expected}, got {point.shape}: "
            "batch with jax.vmap"
        )
