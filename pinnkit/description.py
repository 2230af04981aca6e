"""Problems, networks and settings as plain data, so that files hold no code."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
from flax import nnx

import pinnkit
from pinnkit import problems
from pinnkit.networks import network as build_network
from pinnkit.problems import Problem
from pinnkit.windowed_network import Windowed

FORMAT = 1
SHOWN = 3


def describe(problem: Problem, network: nnx.Module) -> dict[str, Any]:
    """Format, version, problem and network as JSON-serializable data."""
    return {
        "format": FORMAT,
        "pinnkit": pinnkit.__version__,
        "problem": describe_problem(problem),
        "network": _options(network) or type(network).__name__,
    }


def describe_problem(problem: Problem) -> dict[str, Any]:
    parameters = _fields(problem) if dataclasses.is_dataclass(problem) else {}
    own = type(problem) is not getattr(problems, type(problem).__name__, None)
    name = type(problem).__name__ + (" of your own" if own else "")
    return {"class": name, "parameters": parameters}


def plain(value: Any) -> Any:
    """A value as JSON-serializable data, equal for equal values.

    Dataclasses become their class and fields, arrays a checksum; of anything else, such as a
    function, only the name remains; of a network its class and a checksum.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value)
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"class": type(value).__name__} | _fields(value)
    if isinstance(value, nnx.Module):
        arrays = [plain(leaf) for leaf in jax.tree.leaves(nnx.state(value))]
        digest = hashlib.sha256("".join(arrays).encode()).hexdigest()[:16]
        return f"{type(value).__name__} {digest}"
    if hasattr(value, "__array__"):
        array = np.ascontiguousarray(value)
        digest = hashlib.sha256(array.tobytes()).hexdigest()[:16]
        return f"{array.dtype}{list(array.shape)} {digest}"
    return getattr(value, "__qualname__", type(value).__qualname__)


def _fields(value: Any) -> dict[str, Any]:
    return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}


def check_same(found: dict, expected: dict, where, advice: str) -> None:
    """Raise ValueError if two descriptions differ in anything but the version of pinnkit.

    What only one of them describes, the other leaves open.
    """
    if found.get("format") != expected["format"]:
        raise ValueError(
            f"{where} has format {found.get('format')}, this version of pinnkit "
            f"({expected['pinnkit']}) reads {expected['format']}: use the version that wrote it, "
            f"{found.get('pinnkit')}. Or {advice}"
        )
    for what in sorted(set(found) & set(expected) - {"format", "pinnkit"}):
        differences = list(_differences(found[what], expected[what], what))
        if differences:
            more = f" and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
            raise ValueError(
                f"{where} belongs to another {what}: {', '.join(differences[:SHOWN])}{more}. "
                f"{advice[0].upper()}{advice[1:]}"
            )


def _differences(found: Any, expected: Any, name: str) -> Iterator[str]:
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in sorted({*found, *expected}):
            missing = "nothing"
            yield from _differences(found.get(key, missing), expected.get(key, missing), key)
    elif found != expected:
        yield f"{name} is {_short(found)} there and {_short(expected)} here"


def _short(value: Any, length: int = 80) -> str:
    text = json.dumps(value)
    return text if len(text) <= length else f"{text[:length]}..."


def restore_problem(description: dict[str, Any]) -> Problem:
    """The problem that `describe_problem` described.

    Raises:
        ValueError: the class is not one of pinnkit's, or does not take these parameters.
    """
    try:
        name, parameters = description["class"], dict(description["parameters"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{description!r} does not describe a problem") from error
    known = getattr(problems, name, None) if name in problems.__all__ else None
    if not (isinstance(known, type) and issubclass(known, Problem)) or known is Problem:
        raise ValueError(
            f"{name!r} is not a problem of pinnkit: pass it as load(path, problem=...)"
        )
    try:
        return known(**parameters)
    except TypeError as error:
        raise ValueError(
            f"this version of pinnkit has another {name}: {error}. Pass the problem as "
            "load(path, problem=...)"
        ) from error


def restore_network(description: dict[str, Any] | str, problem: Problem) -> nnx.Module:
    """A network of the described architecture, with fresh parameters.

    Raises:
        ValueError: it was not built by `pinnkit.network`, or by another version of it.
    """
    if isinstance(description, str):
        raise ValueError(
            f"the network {description!r} is not one of pinnkit's: pass a module of the same "
            "structure as load(path, network=...)"
        )
    try:
        if "edges" in description:
            return _windowed(problem, **description)
        return build_network(problem, **description)
    except TypeError as error:
        raise ValueError(
            f"this version of pinnkit builds other networks: {error}. Pass a module of the same "
            "structure as load(path, network=...)"
        ) from error


def _windowed(problem: Problem, *, edges, windows: int, each: dict[str, Any]) -> Windowed:
    first = build_network(problem, **each)
    return Windowed([nnx.clone(first) for _ in range(windows)], problem, edges)


def _options(network: nnx.Module) -> dict[str, Any] | None:
    """What `pinnkit.network` was called with; None for other modules."""
    try:
        options = json.loads(network.spec)
    except (AttributeError, TypeError, ValueError):
        return None
    return options if isinstance(options, dict) else None
