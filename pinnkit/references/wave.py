"""The wave equation on a string with fixed ends, in closed form."""

from __future__ import annotations

import time

import numpy as np

from pinnkit.references._reference import Reference


def wave(speed: float = 2.0, *, n_t: int = 201, n_x: int = 201) -> Reference:
    """sin(pi x) cos(c pi t) + 1/2 sin(4 pi x) cos(4 c pi t) on [0, 1] x [0, 1].

    Args:
        speed: c > 0.
        n_t: number of times.
        n_x: number of positions; both ends are included.

    Returns:
        Values of "u" with shape (n_t, n_x); the error estimate is the rounding of the phase.

    Raises:
        ValueError: the speed is not positive.
    """
    if not speed > 0:
        raise ValueError(f"speed must be positive, got {speed!r}")
    started = time.perf_counter()
    t, x = np.linspace(0, 1, n_t), np.linspace(0, 1, n_x)
    first = np.cos(speed * np.pi * t)[:, None] * np.sin(np.pi * x)
    fourth = np.cos(4 * speed * np.pi * t)[:, None] * np.sin(4 * np.pi * x)
    return Reference(
        axes={"t": t, "x": x},
        values={"u": first + 0.5 * fourth},
        error_estimate=float(np.finfo(float).eps * max(1.0, 4 * np.pi * speed)),
        method="closed form: two standing waves",
        source="d'Alembert; separation of variables",
        seconds=time.perf_counter() - started,
    )
