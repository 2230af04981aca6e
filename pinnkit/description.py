"""Problems and networks as plain data, so that files hold no code."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from flax import nnx

import pinnkit
from pinnkit import problems
from pinnkit.networks import network as build_network
from pinnkit.problems import Problem

FORMAT = 1


def describe(problem: Problem, network: nnx.Module) -> dict[str, Any]:
    """Format, version, problem and network as JSON-serializable data."""
    spec = getattr(network, "spec", None)
    return {
        "format": FORMAT,
        "pinnkit": pinnkit.__version__,
        "problem": describe_problem(problem),
        "network": json.loads(spec) if spec else type(network).__name__,
    }


def describe_problem(problem: Problem) -> dict[str, Any]:
    parameters = dataclasses.asdict(problem) if dataclasses.is_dataclass(problem) else {}
    return {"class": type(problem).__name__, "parameters": parameters}


def check_same(found: dict, expected: dict, where) -> None:
    """Raise ValueError if two descriptions differ in anything but the version of pinnkit."""
    if found.get("format") != expected["format"]:
        raise ValueError(
            f"{where} has format {found.get('format')}, this version of pinnkit "
            f"({expected['pinnkit']}) reads {expected['format']}: use the version that wrote it, "
            f"{found.get('pinnkit')}, or another folder"
        )
    for what in ("problem", "network"):
        if found[what] != expected[what]:
            raise ValueError(
                f"{where} belongs to another {what}: it holds {found[what]}, expected "
                f"{expected[what]}. Use another folder, or remove it to start afresh"
            )


def restore_problem(description: dict[str, Any]) -> Problem:
    """The problem that `describe_problem` described.

    Raises:
        ValueError: the class is not one of pinnkit's.
    """
    name = description["class"]
    known = getattr(problems, name, None) if name in problems.__all__ else None
    if known is None:
        raise ValueError(
            f"{name!r} is not a problem of pinnkit: pass your own as load(path, problem=...)"
        )
    return known(**description["parameters"])


def restore_network(description: dict[str, Any] | str, problem: Problem) -> nnx.Module:
    """A network of the described architecture, with fresh parameters.

    Raises:
        ValueError: it was not built by `pinnkit.network`.
    """
    if isinstance(description, str):
        raise ValueError(
            f"the network {description!r} is not one of pinnkit's: pass a module of the same "
            "structure as load(path, network=...)"
        )
    return build_network(problem, **description)
