"""Continuation: a hard problem by way of easier ones, each a start for the next.

A flow at a high Reynolds number, a thin front or a strong nonlinearity is often out of reach from
random weights and near the solution of a milder problem. Numerical analysis follows solutions in a
parameter in this way (Allgower and Georg 1990, Numerical Continuation Methods); for PINNs it is
called a curriculum (Krishnapriyan et al. 2021, arXiv 2109.01050).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import optax
from flax import nnx

from pinnkit.fit import fit
from pinnkit.problems import Problem
from pinnkit.run import Run, joined


def fit_continuation(
    problems: Sequence[Problem],
    network: Callable[[Problem], nnx.Module],
    optimizer: optax.GradientTransformation,
    *,
    steps: Sequence[int],
    checkpoint: str | Path | None = None,
    time_limit: float = math.inf,
    **fit_options,
) -> Run:
    """Train on one problem after another, each from the parameters of the one before.

    Args:
        problems: the easiest first.
        network: builds the network of a problem, `lambda p: pinnkit.network(p, width=32)`.
        optimizer: any optax transformation; starts afresh on every problem.
        steps: for each problem.
        checkpoint: folder with one checkpoint for each problem.
        time_limit: seconds of training in all.
        fit_options: as for `pinnkit.fit`.

    Returns:
        The run of the last problem that was reached. Its history has the rows of all of them, with
        the number of the problem in the column "stage", each measured against its own reference.

    Raises:
        ValueError: there is no problem, or not one number of steps for each; as `pinnkit.fit`.
    """
    if not problems or len(steps) != len(problems):
        raise ValueError(
            "expected one or more problems and steps for each, got "
            f"{len(problems)} and {len(steps)}"
        )
    parts: list[Run] = []
    try:
        for k, problem in enumerate(problems):
            start = network(problem)
            if parts:
                nnx.update(start, nnx.state(parts[-1].network, nnx.Param))
            parts.append(
                fit(
                    problem,
                    start,
                    optimizer,
                    steps=steps[k],
                    checkpoint=None if checkpoint is None else Path(checkpoint) / f"stage-{k:02d}",
                    time_limit=max(time_limit - sum(run.seconds for run in parts), 1e-3),
                    **fit_options,
                )
            )
            if "completed" not in parts[-1].status:
                break
    except BaseException as error:
        reached = [error.run] if hasattr(error, "run") else []
        if parts or reached:
            error.run = _together(parts + reached, len(problems))
        raise
    return _together(parts, len(problems))


def _together(parts: list[Run], stages: int) -> Run:
    status = parts[-1].status
    if stages > 1:
        status = f"stage {len(parts)} of {stages}: {status}"
    return joined(parts, "stage", status=status)
