"""Another reading of a traced function: each of its operations is carried out by a given rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jax.extend.core import Literal

CALLS = {"jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call"}
CALLS |= {"remat", "checkpoint", "custom_vjp_call_jaxpr"}
"""Primitives that do nothing but call a function."""


def interpret(jaxpr, consts: Sequence, arguments: Sequence, apply: Callable[..., list]) -> list:
    """The outputs of a jaxpr.

    Args:
        jaxpr, consts: what `jax.make_jaxpr` has found.
        arguments: one for each input; anything that `apply` understands.
        apply: maps an equation of the jaxpr and its inputs to the list of its outputs.
    """
    values = dict(zip(jaxpr.constvars, consts, strict=True))
    values.update(zip(jaxpr.invars, arguments, strict=True))

    def read(variable):
        return variable.val if isinstance(variable, Literal) else values[variable]

    for equation in jaxpr.eqns:
        outputs = apply(equation, [read(v) for v in equation.invars])
        values.update(zip(equation.outvars, outputs, strict=True))
    return [read(v) for v in jaxpr.outvars]


def called(equation) -> tuple[Any, Sequence] | None:
    """The jaxpr, with its constants, that an equation does nothing but call; or None."""
    inner = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
    if inner is None or equation.primitive.name not in CALLS:
        return None
    return getattr(inner, "jaxpr", inner), getattr(inner, "consts", ())


def carried_out(equation, inputs: Sequence) -> list:
    """The outputs of an equation as it stands."""
    outputs = equation.primitive.bind(*inputs, **equation.params)
    return outputs if equation.primitive.multiple_results else [outputs]
