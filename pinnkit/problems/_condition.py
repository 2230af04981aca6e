"""Initial and boundary conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp

from pinnkit.derivatives import Field


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
