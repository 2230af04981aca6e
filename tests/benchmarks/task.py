"""What every library is given to solve, and how its process talks to the harness.

Burgers' equation u_t + u u_x = nu u_xx on t in [0, 1], x in [-1, 1], u(0, x) = -sin(pi x),
u(t, -1) = u(t, 1) = 0. This file needs nothing but NumPy: it is imported in every environment.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

VISCOSITY = 0.01 / math.pi
WIDTH, DEPTH = 64, 4
INTERIOR, INITIAL, BOUNDARY = 4096, 256, 256
RATE = 1e-3
PARAMETERS = 2 * WIDTH + WIDTH + (DEPTH - 1) * (WIDTH * WIDTH + WIDTH) + WIDTH + 1


class Channel:
    """One JSON object a line on what was standard output; the library's own prints go to stderr."""

    def __init__(self):
        self._lines = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def report(self, event: str, **facts) -> None:
        self._lines.write(json.dumps({"event": event, **facts}) + "\n")
        self._lines.flush()


class Watch:
    """Hands the network's values on the grid to the harness now and then.

    Args:
        channel: where to report.
        grid: points (t, x), shape (n, 2), float64.
        folder: for the values.
        every: seconds of training between two reports.
        cap: seconds of training after which `over` is true.
    """

    def __init__(self, channel: Channel, grid: np.ndarray, folder: Path, every: float, cap: float):
        self.channel, self.grid, self.folder = channel, grid, folder
        self.every, self.cap = every, cap
        self._count, self._reported, self._paused = 0, -math.inf, 0.0
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Wall time since the start, without the time that reports took."""
        return time.perf_counter() - self._started - self._paused

    @property
    def over(self) -> bool:
        return self.seconds > self.cap

    def look(self, step: int, predict: Callable, *, last: bool = False) -> None:
        """Report if it is time to: `predict` maps points (t, x) to values of u."""
        if last or self.seconds - self._reported >= self.every:
            seconds, paused = self.seconds, time.perf_counter()
            self.hand_over(step, seconds, predict(self.grid))
            self._reported = seconds
            self._paused += time.perf_counter() - paused

    def hand_over(self, step: int, seconds: float, values) -> None:
        """Report the values after `seconds` of set-up, compilation and training."""
        values = np.asarray(values, dtype=np.float64).reshape(len(self.grid))
        file = self.folder / f"{self._count}.npy"
        np.save(file, values)
        self._count += 1
        self.channel.report("values", step=int(step), seconds=float(seconds), file=str(file))


def listen_to_jax() -> Callable[[], float]:
    """The seconds that JAX has spent on tracing, lowering and compiling, of all programs so far."""
    import jax

    spent = []

    def listen(event: str, seconds: float, **_):
        if event.startswith("/jax/core/compile/"):
            spent.append(seconds)

    jax.monitoring.register_event_duration_secs_listener(listen)
    return lambda: sum(spent)


def run(load: Callable, speed: Callable, recipes: dict[str, Callable], packages: list[str]) -> None:
    """The command line of one library's script.

    Args:
        load: imports the library and returns what `speed` and the recipes take.
        speed: `speed(library, steps, report)`: trains the common task with Adam.
        recipes: by name, `recipe(library, watch, quick)`.
        packages: whose versions are reported.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["speed", *recipes])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--grid", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--every", type=float, default=2.0)
    parser.add_argument("--cap", type=float, default=600.0)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    channel = Channel()
    started = time.perf_counter()
    library = load()
    channel.report(
        "loaded",
        seconds=time.perf_counter() - started,
        versions={p: importlib.metadata.version(p) for p in packages},
        python=sys.version.split()[0],
        cores=len(os.sched_getaffinity(0)),
    )
    if options.what == "speed":
        compilation = listen_to_jax() if "jax" in packages else lambda: None

        def report(event, **facts):
            if event == "first step":
                facts["compilation"] = compilation()
            channel.report(event, **facts)

        speed(library, options.steps, report)
    else:
        grid = np.load(options.grid)
        watch = Watch(channel, grid, options.folder, options.every, options.cap)
        recipes[options.what](library, watch, options.quick)
    channel.report("done")
