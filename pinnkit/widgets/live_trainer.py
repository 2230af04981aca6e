"""Training that can be watched, paused and changed on the way."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import ipywidgets
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from pinnkit.monitors import Monitor
from pinnkit.plotting import COLORS, DASHES, ERROR_MAP, running_mean
from pinnkit.precision import dtype_of, precision
from pinnkit.problems import Problem
from pinnkit.sampling import UniformSampler
from pinnkit.terms import Loss
from pinnkit.training_step import TrainingStep
from pinnkit.widgets._explorer import Explorer

SECONDS = 0.4
"""Training between two pictures."""
ROWS = 400
"""Length of the history that is kept in full; beyond it every second row goes."""


class LiveRun:
    """A training run without an end: it advances for a while, and may be changed in between.

    Everything is compiled when it is made.

    Args:
        problem: with a reference in two coordinates and one field.
        network: where training begins.
        optimizers: by name; the first is used until `choose` is called.
        points: as for `pinnkit.fit`.
        weights: of the loss terms at the start.
        seed: of the points.

    Attributes:
        optimizer: name of the one in use.
        weights: factor of each loss term.
        seconds: of training so far.
        finite: False once a loss was not finite: training stays where it was before.
        progress: what there is to see, after each `advance` and `reset`.
    """

    def __init__(
        self,
        problem: Problem,
        network: nnx.Module,
        optimizers: Mapping[str, optax.GradientTransformation],
        *,
        points: UniformSampler | None = None,
        weights: Mapping[str, float] | None = None,
        seed: int = 0,
    ):
        self.reference = problem.reference()
        self._dtype = dtype_of(nnx.state(network, nnx.Param))
        with precision(self._dtype):
            loss = Loss(problem, dict(weights or {}), skip=getattr(network, "hard_terms", ()))
            points = UniformSampler() if points is None else points
            grid = np.stack(np.meshgrid(*self.reference.axes.values(), indexing="ij"), axis=-1)
            self._methods = {
                name: _Method(loss, network, optimizer, points, self._dtype, seed, grid)
                for name, optimizer in optimizers.items()
            }
        self._start_weights = {name: loss.weights.get(name, 1.0) for name in loss.terms}
        self._lock = threading.Lock()
        self.reset(next(iter(optimizers)))

    @property
    def optimizers(self) -> tuple[str, ...]:
        """The names to choose from."""
        return tuple(self._methods)

    def reset(self, optimizer: str | None = None) -> None:
        """Back to the start, with the weights of the start."""
        with self._lock, precision(self._dtype):
            self.optimizer = optimizer or self.optimizer
            self.weights = dict(self._start_weights)
            self.seconds, self.finite, self._rows, self._per_chunk = 0.0, True, [], 1
            self._state = self._methods[self.optimizer].start()
            self._measure()

    def choose(self, optimizer: str) -> None:
        """Go on with another optimizer, which starts afresh from these parameters."""
        if optimizer == self.optimizer:
            return
        with self._lock, precision(self._dtype):
            fresh = self._methods[optimizer].start(self._state.params)
            self._state = fresh._replace(
                step=self._state.step, key=self._state.key, weights=self._state.weights
            )
            self.optimizer, self._per_chunk = optimizer, 1

    def weigh(self, **weights: float) -> None:
        """Change factors of loss terms."""
        with self._lock, precision(self._dtype):
            self.weights |= weights
            named = {n: jnp.asarray(w, self._dtype) for n, w in self.weights.items()}
            self._state = self._state._replace(weights=named)

    def advance(self, seconds: float = SECONDS) -> None:
        """Train for about that long, and measure."""
        with self._lock, precision(self._dtype):
            method, started, spent = self._methods[self.optimizer], time.perf_counter(), 0.0
            while self.finite and spent < seconds:
                self._state, finite = method.advance(self._state, self._per_chunk)
                self.finite = bool(finite)
                before, spent = spent, time.perf_counter() - started
                fitting = int(self._per_chunk * seconds / 4 / (spent - before))
                self._per_chunk = max(1, min(4 * self._per_chunk, fitting))
            self.seconds += spent
            self._measure()

    def _measure(self) -> None:
        method = self._methods[self.optimizer]
        row = method.monitor(self._state, seconds=self.seconds) | {"optimizer": self.optimizer}
        self._rows.append(row)
        if len(self._rows) > ROWS:
            self._rows = [*self._rows[:-1:2], row]
        self.progress = Progress(list(self._rows), method.field(self._state), self.finite)


class _Method:
    """One optimizer with its compiled functions."""

    def __init__(self, loss, network, optimizer, points, dtype, seed, grid):
        extended = optax.with_extra_args_support(optimizer)
        self._step = TrainingStep(loss, network, extended, points, dtype)
        self._key = jax.random.key(seed)
        self._start = jax.jit(self._step.start)
        state = self.start()
        self.advance, _ = self._step.compile(state)
        self.monitor = Monitor(self._step)
        self.monitor.compile(state)
        flat = jnp.asarray(grid.reshape(-1, grid.shape[-1]), dtype)
        values = jax.jit(lambda state: jax.vmap(self._step.network_of(state))(flat))
        self.field = lambda state: np.asarray(values(state)).reshape(grid.shape[:-1])

    def start(self, params=None):
        return self._start(self._key, self._step.initial_params if params is None else params)


@dataclass(frozen=True)
class Progress:
    """A run at one moment.

    Attributes:
        rows: as `pinnkit.monitors.Monitor` measures them, with the name of the "optimizer".
        values: of the field, on the reference's grid.
        finite: whether all losses were finite so far.
    """

    rows: list[dict]
    values: np.ndarray
    finite: bool


class LiveTrainer(Explorer):
    """A training run with a start button, and knobs for the optimizer and the weights.

    Training runs in a thread, in turns of half a second, so the kernel stays responsive: other
    cells can be run meanwhile.

    Args:
        run: what is trained.
    """

    size, widths = (11.5, 3.4), (1.2, 1, 1)

    def __init__(self, run: LiveRun):
        self.run = run
        self._wanted, self._task = False, None
        self._weights = {
            name: ipywidgets.FloatLogSlider(
                value, min=-2, max=4, step=0.25, description=name, readout_format=".3g"
            )
            for name, value in run.weights.items()
        }
        super().__init__(
            start=ipywidgets.Button(description="start", icon="play"),
            reset=ipywidgets.Button(description="reset", icon="undo"),
            optimizer=ipywidgets.Dropdown(
                options=run.optimizers, value=run.optimizer, description="optimizer"
            ),
            **self._weights,
        )
        self.controls["start"].on_click(lambda _: self.pause() if self._wanted else self.start())
        self.controls["reset"].on_click(lambda _: self.reset())

    def start(self) -> None:
        """Train until `pause`, in the running event loop, which a notebook has."""
        self._want(True)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._train())

    def pause(self) -> None:
        """Stop after the turn in progress."""
        self._want(False)

    def reset(self) -> None:
        """Pause, and go back to the start."""
        self.pause()
        self.run.reset()
        for name, slider in self._weights.items():
            slider.value = self.run.weights[name]
        self.refresh()

    async def _train(self) -> None:
        while self._wanted and self.run.finite:
            await asyncio.to_thread(self._turn)
            self.refresh()
        self.pause()

    def _turn(self) -> None:
        values = self.values()
        self.run.choose(values["optimizer"])
        self.run.weigh(**{name: values[name] for name in self._weights})
        if self._wanted:
            self.run.advance()

    def _want(self, running: bool) -> None:
        self._wanted = running
        button = self.controls["start"]
        button.description, button.icon = ("pause", "pause") if running else ("start", "play")

    def compute(self, **values) -> Progress:
        return self.run.progress

    def prepare(self, axes: list[Axes]) -> None:
        self._colors = ScalarMappable(Normalize(-6, 0), ERROR_MAP)
        axes[0].figure.colorbar(self._colors, ax=axes[0], label="log10 |error|")
        axes[0].grid(False)

    def draw(self, axes: list[Axes], result: Progress) -> None:
        field, losses, scores = axes
        reference = self.run.reference
        (truth,) = reference.values.values()
        error = np.log10(np.maximum(np.abs(result.values - truth), 1e-6))
        field.pcolormesh(*reference.axes.values(), error.T, shading="nearest", rasterized=True,
                         cmap=ERROR_MAP, norm=self._colors.norm)  # fmt: skip
        horizontal, vertical = reference.axes
        field.set(xlabel=f"${horizontal}$", ylabel=f"${vertical}$", title="Error")
        columns = _columns(result.rows)
        seconds = columns["seconds"]
        few = {"marker": "o", "ms": 3} if len(seconds) < 10 else {}
        for i, name in enumerate(n for n in columns if n.startswith("loss/")):
            losses.semilogy(seconds, columns[name], DASHES[i % 4], color=COLORS[i],
                            label=name.removeprefix("loss/"), **few)  # fmt: skip
        losses.semilogy(seconds, columns[_error_of(columns)], color="black", label="error", **few)
        losses.set(xlabel="training time in seconds", title="Losses and relative error")
        for i, kind in enumerate(("intra", "inter")):
            score = columns.get(f"alignment/{kind}", np.full(len(seconds), np.nan))
            scores.plot(seconds, running_mean(score, 15), DASHES[i], color=COLORS[i + 3],
                        label=f"{kind}-step", **few)  # fmt: skip
        scores.axhline(0, color="0.4", lw=1, ls=":")
        scores.set(xlabel="training time in seconds", ylim=(-1.05, 1.05),
                   title="Alignment (running mean)")  # fmt: skip
        for ax in (losses, scores):
            for at, name in _changes(result.rows):
                ax.axvline(at, color="0.7", lw=1)
                ax.text(at, 0.02, f" {name}", rotation=90, fontsize="x-small", color="0.4",
                        transform=ax.get_xaxis_transform())  # fmt: skip
            ax.legend(fontsize="small", loc="upper right")

    def describe(self, result: Progress) -> str:
        row = result.rows[-1]
        stopped = "" if result.finite else " The next step was not finite: lower a weight or reset."
        return (
            f"Step {row['step']} after {row['seconds']:.0f} s with {row['optimizer']}: loss "
            f"{row['loss']:.1e}, relative error {row[_error_of(row)]:.1e}.{stopped}"
        )


def _columns(rows: list[dict]) -> dict[str, np.ndarray]:
    """The numbers of the rows by name; nan where an optimizer does not have one."""
    names = dict.fromkeys(name for row in rows for name in row if name != "optimizer")
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}


def _changes(rows: list[dict]) -> list[tuple[float, str]]:
    """When the optimizer changed, in seconds, and to which."""
    return [
        (before["seconds"], row["optimizer"])
        for before, row in itertools.pairwise(rows)
        if row["optimizer"] != before["optimizer"]
    ]


def _error_of(names) -> str:
    return next(name for name in names if name.startswith("error/"))
