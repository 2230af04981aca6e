"""Time windows: a long interval solved piece by piece, each piece starting where the last ended.

Over a long time a network must fit early and late times at once, although the late ones depend on
the early ones. Shorter windows in turn respect that order (as causal weights do softly), and the
parameters of one window are a good start for the next. Used for chaotic problems in
Wang, Sankaran and Perdikaris 2022 (arXiv 2203.07404).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path

import jax
import numpy as np
import optax
from flax import nnx

from pinnkit.fit import fit
from pinnkit.problems import Condition, Problem
from pinnkit.references import Reference
from pinnkit.run import Run, joined
from pinnkit.windowed_network import InWindow, Windowed


@dataclass(frozen=True)
class TimeWindow(Problem):
    """A problem on a part of its time interval.

    Conditions at the first time become: the new fields meet them as the earlier ones do there. So
    u(t_0, x) = u_0(x) turns into u = u_before and u_t(t_0, x) = 0 into u_t = (u_before)_t.

    Args:
        problem: on the whole interval, with conditions that are affine in the fields.
        interval: first and last time of the window.
        before: maps a point of shape (d,) to the fields of the window before; None for the first
            window, which has the problem's own conditions.
    """

    problem: Problem
    interval: tuple[float, float]
    before: Callable[[jax.Array], jax.Array] | None = None

    def __post_init__(self):
        inherited = {n: getattr(self.problem, n) for n in ("coordinates", "fields", "periodic")}
        domain = {**self.problem.domain, "t": self.interval}
        for name, value in (inherited | {"domain": domain}).items():
            object.__setattr__(self, name, value)
        super().__post_init__()

    def residual(self, field, point):
        return self.problem.residual(field, point)

    def conditions(self):
        if self.before is None:
            return self.problem.conditions()
        first = self.problem.domain["t"][0]
        return tuple(
            self._continued(c) if tuple(c.at.get("t", ())) == (first,) else c
            for c in self.problem.conditions()
        )

    def _continued(self, condition: Condition) -> Condition:
        before = self.problem.field(self.before)

        def residual(field, point):
            return condition.residual(field, point) - condition.residual(before, point)

        return Condition(condition.name, {**condition.at, "t": self.interval[:1]}, residual)

    def observables(self, values):
        return self.problem.observables(values)

    def reference(self) -> Reference:
        """The part of the problem's reference that lies in the window.

        Raises:
            NotImplementedError: it has less than two times there.
        """
        whole = self.problem.reference()
        axis, (start, end) = [*whole.axes].index("t"), self.interval
        inside = np.flatnonzero((whole.axes["t"] >= start) & (whole.axes["t"] <= end))
        if len(inside) < 2:
            raise NotImplementedError(
                f"the reference has {len(inside)} of its times in [{start:g}, {end:g}]: the error "
                "of so short a window is not measured"
            )
        return replace(
            whole,
            axes={**whole.axes, "t": whole.axes["t"][inside]},
            values={n: np.take(v, inside, axis=axis) for n, v in whole.values.items()},
        )


def fit_windows(
    problem: Problem,
    network: nnx.Module,
    optimizer: optax.GradientTransformation,
    *,
    windows: int | Sequence[float],
    steps: int | Sequence[int],
    seed: int = 0,
    checkpoint: str | Path | None = None,
    time_limit: float = math.inf,
    **fit_options,
) -> Run:
    """Train one network for each time window, in turn, and join them.

    The first window starts from `network`, each later one from the parameters of the one before.
    What the network sees of the time is stretched, so that every window looks like the whole
    interval to it.

    Args:
        problem: with a coordinate "t" and initial conditions as loss terms.
        network: as for `pinnkit.fit`, without hard conditions.
        optimizer: any optax transformation; starts afresh in every window.
        windows: number of equal windows, or their edges, rising from the first to the last time.
        steps: of each window, or one number for each: errors that are made early grow longest.
        seed: of the collocation points; window k has seed + k.
        checkpoint: folder with one checkpoint for each window; a run that was interrupted goes on
            in the window where it stopped.
        time_limit: seconds of training in all; what is left of it is shared equally by the windows
            that are left.
        fit_options: as for `pinnkit.fit`.

    Returns:
        A run over the whole interval. Its history has the rows of all windows, with the number of
        the window in the column "window", counts steps and seconds through, and measures the error
        of each window on that window alone, as nan where the reference has no two times in it. If
        a window was stopped or failed, the last network is used beyond its end, and `status` says
        so.

    Raises:
        ValueError, TypeError: as for `pinnkit.fit`; edges or numbers of steps that do not fit;
            hard conditions.
    """
    edges = _edges(problem, windows)
    steps = _steps(steps, len(edges) - 1)
    if getattr(network, "hard_terms", ()):
        raise ValueError(
            "windows begin with the state of the window before, which hard conditions cannot "
            "impose: build the network with hard=False"
        )
    parts: list[Run] = []
    try:
        for k, interval in enumerate(itertools.pairwise(edges)):
            spent = sum(run.seconds for run in parts)
            before = parts[-1].network if parts else None
            parts.append(
                fit(
                    TimeWindow(problem, interval, before),
                    InWindow(before.network if parts else network, problem, interval),
                    optimizer,
                    steps=steps[k],
                    seed=seed + k,
                    checkpoint=None if checkpoint is None else Path(checkpoint) / f"window-{k:02d}",
                    time_limit=max((time_limit - spent) / (len(edges) - 1 - k), 1e-3),
                    **fit_options,
                )
            )
            if parts[-1].failed or parts[-1].status.startswith("stopped by the user"):
                break
    except BaseException as error:
        reached = [error.run] if hasattr(error, "run") else []
        if parts or reached:
            error.run = _joined(problem, edges, parts + reached, seed)
        raise
    return _joined(problem, edges, parts, seed)


def _edges(problem: Problem, windows: int | Sequence[float]) -> list[float]:
    if "t" not in problem.coordinates:
        raise ValueError(f"windows need a coordinate 't', got {problem.coordinates}")
    first, last = problem.domain["t"]
    if isinstance(windows, Integral) and not isinstance(windows, bool):
        if windows < 1:
            raise ValueError(f"expected one or more windows, got {windows}")
        return [float(t) for t in np.linspace(first, last, windows + 1)]
    edges = np.asarray(windows, float)
    rising = edges.ndim == 1 and len(edges) > 1 and np.all(np.diff(edges) > 0)
    if not rising or (edges[0], edges[-1]) != (first, last):
        raise ValueError(
            f"the edges of windows must rise from {first} to {last}, the problem's time interval, "
            f"got {windows}"
        )
    return edges.tolist()


def _steps(steps: int | Sequence[int], windows: int) -> list[int]:
    several = isinstance(steps, Sequence | np.ndarray) and not isinstance(steps, str)
    each = list(steps) if several else [steps] * windows
    if len(each) != windows:
        raise ValueError(f"expected steps for each of {windows} windows, got {len(each)} numbers")
    for k, n in enumerate(each):
        if isinstance(n, bool) or not isinstance(n, Integral) or n < 1:
            of = f" of window {k}" if several else ""
            raise ValueError(f"steps{of} must be an integer >= 1, got {n!r}")
    return [int(n) for n in each]


def _joined(problem: Problem, edges: list[float], parts: list[Run], seed: int) -> Run:
    n = len(edges) - 1
    return joined(
        parts,
        "window",
        problem=problem,
        network=Windowed([part.network.network for part in parts], problem, edges),
        status=f"window {len(parts)} of {n}: {parts[-1].status}",
        seed=seed,
    )
