"""The error of a spectral solution from a second one with half the points and half the steps."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pinnkit.references._periodic import sufficient_points

ROUNDING = 1e-15


def two_resolutions(
    solve: Callable[..., np.ndarray],
    *,
    points: int,
    accepted: float,
    what: str,
    steps: int | None = None,
) -> tuple[np.ndarray, float]:
    """States on the fine grid and the relative L2 difference to the coarse ones.

    Args:
        solve: maps the points, or points and steps, to states, shape (times, fields, points, ...).
        points: per axis, even.
        accepted: largest relative L2 error that is let through.
        what: problem and parameters, for the error message.
        steps: in time, an even multiple of the intervals between times; None if the integrator
            chooses its own.

    Returns:
        The states and the largest difference over the fields: an estimate of the coarse
        solution's error, and so a cautious one of the fine solution's.

    Raises:
        ValueError: the difference is larger than accepted; says what would suffice.
    """
    sizes = (points,) if steps is None else (points, steps)
    fine, coarse = solve(*sizes), solve(*(n // 2 for n in sizes))
    every_second = (slice(None), slice(None)) + (slice(None, None, 2),) * (fine.ndim - 2)
    estimate = difference(fine[every_second], coarse)
    if not estimate <= accepted:
        used = f"{points} points" + (f" and {steps} steps" if steps else "")
        raise ValueError(
            f"{what}: with {used} the error is about {estimate:.0e}, more than the "
            f"{accepted:.0e} that a reference may have: "
            f"{_advice(fine[-1], points, steps, estimate, accepted)}"
        )
    return fine, max(estimate, ROUNDING)


def difference(fine: np.ndarray, coarse: np.ndarray) -> float:
    """Relative L2 difference of states of shape (times, fields, ...), largest over the fields."""
    return max(
        float(np.linalg.norm(a - b) / np.linalg.norm(a))
        for a, b in zip(fine.swapaxes(0, 1), coarse.swapaxes(0, 1), strict=True)
    )


def _advice(state, points, steps, estimate, accepted) -> str:
    needed = sufficient_points(state, 0.1 * accepted) if np.isfinite(state).all() else math.inf
    if needed == math.inf:
        return f"it is far from resolved, try points={4 * points}" + _and_steps(steps, 4)
    if needed > points:
        return f"pass points={needed:.0f}" + _and_steps(steps, needed / points)
    factor = 2 ** math.ceil(math.log2(estimate / accepted) / 4)
    return f"pass points={points}" + _and_steps(steps, factor)


def _and_steps(steps, factor) -> str:
    return f" and steps={steps * factor:.0f}" if steps else ""
