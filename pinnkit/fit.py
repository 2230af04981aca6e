"""Training: one function and one loop for every optax transformation."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from pathlib import Path

import jax
import optax
from flax import nnx
from jax.sharding import Mesh
from tqdm.auto import tqdm

from pinnkit.balancing import AdaptiveWeights
from pinnkit.checkpoints import Store
from pinnkit.description import describe, plain
from pinnkit.devices import copy, device_mesh, on_one_device
from pinnkit.hosts import SharedErrors, agree, check_agreement, several
from pinnkit.interrupt import StopButton
from pinnkit.monitors import Monitor
from pinnkit.networks import check_network
from pinnkit.optimizers.schedule_free import evaluation_params
from pinnkit.precision import dtype_of, precision
from pinnkit.problems import Problem
from pinnkit.run import Run
from pinnkit.sampling import UniformSampler
from pinnkit.terms import Loss
from pinnkit.training_step import TrainingStep
from pinnkit.weighting import CausalWeights

CHUNK_SECONDS = 0.5


def fit(
    problem: Problem,
    network: nnx.Module,
    optimizer: optax.GradientTransformation,
    *,
    steps: int,
    points: UniformSampler | None = None,
    weights: Mapping[str, float] | AdaptiveWeights | None = None,
    causal: CausalWeights | None = None,
    resample_every: int = 1,
    micro_batch: int | None = None,
    devices: int | Mesh | None = None,
    seed: int = 0,
    monitor_every: int | None = 100,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 1000,
    time_limit: float = math.inf,
    progress: bool = True,
) -> Run:
    """Train a network to solve a problem.

    The loss is the weighted sum of each term's mean squared residual at points that are drawn
    afresh on the device, by default at every step. Steps run on the device in chunks of about
    half a second, between which the progress bar moves and the Stop button (or Ctrl-C) is heard.

    Args:
        problem: the equation, its domain and its conditions.
        network: maps a point of shape (d,) to an array of shape (n_fields,); left unchanged. The
            dtype of its parameters sets the precision of the whole run.
        optimizer: any optax transformation. Those that take extra arguments are passed `value`,
            `grad` and `value_fn`, as `optax.lbfgs` needs them, `least_squares` for Gauss-Newton,
            and `gradients_by_term` for gradient surgery, which costs nothing unless it is called.
        steps: number of optimizer steps in all, those of a resumed checkpoint included.
        points: how many points are drawn, and where.
        weights: factor of each loss term, 1 where none is given; or how they are computed during
            training, for example `pinnkit.GradientNormWeights()`.
        causal: optional weighting of the equation's residuals by time.
        resample_every: steps that share the same points.
        micro_batch: points that are worked on at a time, on all devices together; memory does not
            grow with the number of points then, and a step takes about half as long again. By
            default all at once.
        devices: over how many devices the points are divided, or a mesh of devices; the result is
            the same up to rounding. By default one, or all devices where several processes train
            together (`jax.distributed.initialize`): every one then calls `fit` with the same
            arguments.
        seed: of the collocation points.
        monitor_every: steps between two rows of the history; None measures nothing, which saves
            the compilation, and leaves the history empty.
        checkpoint: folder to save to; if it holds a run of the same problem, network, points,
            weights and seed, that run is continued, bit for bit as if it had not been interrupted,
            also on another number of devices, up to rounding. With it SIGTERM, by which clusters
            announce that they take a machine away, saves before the process exits. Several
            processes share one folder, and the first one writes.
        checkpoint_every: steps between two checkpoints.
        time_limit: seconds of training, those before a resumed checkpoint included and
            compilation not, after which to stop.
        progress: show a bar.

    Returns:
        The trained network with its history; of a schedule-free optimizer, the network of its
        average. It is returned, too, when training is stopped early: by the Stop button, by the
        time limit, by a loss that is not finite or by an error; the last two leave the last good
        state and a warning that says what to try. `run.status` tells which, `run.failed`
        whether something went wrong.

    Raises:
        ValueError, TypeError: an argument does not fit; nothing has been computed then.
        OSError: the checkpoint folder cannot be written, or another process trains in it.
        RuntimeError: another process of the same run could not begin.
        SystemExit: SIGTERM came; a checkpoint has been saved.
        KeyboardInterrupt: Ctrl-C was pressed twice; the run so far is its attribute `run`.
    """
    counts = {
        "steps": steps,
        "resample_every": resample_every,
        "monitor_every": monitor_every,
        "checkpoint_every": checkpoint_every,
        "micro_batch": micro_batch,
    }
    points = UniformSampler() if points is None else points
    weights = {} if weights is None else weights
    with SharedErrors():
        _check_numbers(counts, seed, time_limit)
        _check_types(problem, network, optimizer, points, weights, causal, checkpoint)
        adaptive = weights if isinstance(weights, AdaptiveWeights) else None
        start = weights if adaptive is None else adaptive.start
        settings = {
            "points": points,
            "weights": adaptive or {name: value for name, value in start.items() if value != 1},
            "causal": causal,
            "seed": seed,
        }
        if resample_every != 1:
            settings["resample_every"] = resample_every
        dtype = dtype_of(nnx.state(network, nnx.Param))
        mesh, skip = device_mesh(devices), getattr(network, "hard_terms", ())
        with precision(dtype):
            loss = Loss(problem, dict(start), causal, skip, micro_batch, mesh)
            check_network(problem, network, dtype)
        extended = optax.with_extra_args_support(optimizer)
        step = TrainingStep(loss, network, extended, points, dtype, resample_every, adaptive)
        store = Store.open(checkpoint, problem, network, settings)
    try:
        with precision(dtype):
            if several():
                check_agreement(
                    {**describe(problem, network), "settings": plain(settings), "numbers": counts}
                    | {"weights of the network": plain(network)}
                )
            run = Run(problem, network, seed=seed)
            training = _Training(step, run, store, seed, monitor_every)
            training.run_to(steps, checkpoint_every, time_limit, disable_bar=not progress)
    finally:
        if store is not None:
            store.close()
    if run.failed:
        warnings.warn(run.status, RuntimeWarning, stacklevel=2)
    return run


def _check_numbers(counts, seed, time_limit) -> None:
    for name, value in counts.items():
        if name in ("monitor_every", "micro_batch") and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} must be an integer >= 1, got {value!r}")
    if isinstance(seed, bool) or not isinstance(seed, Integral):
        raise ValueError(f"seed must be an integer, got {seed!r}")
    if not (isinstance(time_limit, Real) and time_limit > 0):
        raise ValueError(f"time_limit must be a positive number of seconds, got {time_limit!r}")


def _check_types(problem, network, optimizer, points, weights, causal, checkpoint) -> None:
    for name, value, kinds, expected in (
        ("problem", problem, Problem, "a problem, for example pinnkit.problems.Burgers()"),
        ("network", network, nnx.Module, "an nnx.Module, for example pinnkit.network(problem)"),
        (
            "optimizer",
            optimizer,
            optax.GradientTransformation,
            "an optax.GradientTransformation, for example pinnkit.soap(1e-3) or optax.adam(1e-3)",
        ),
        ("points", points, Callable, "a sampler, for example pinnkit.UniformSampler(interior=512)"),
        (
            "weights",
            weights,
            Mapping | AdaptiveWeights,
            'factors by loss term, for example {"initial": 10.0}, or for example '
            "pinnkit.GradientNormWeights()",
        ),
        ("causal", causal, CausalWeights | None, "pinnkit.CausalWeights(...) or None"),
        ("checkpoint", checkpoint, str | Path | None, "the path of a folder or None"),
    ):
        if not isinstance(value, kinds):
            got = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
            raise TypeError(f"{name} must be {expected}, got {got}")


class _Training:
    """One run in progress: its state on the device and what it has measured."""

    def __init__(
        self,
        step: TrainingStep,
        run: Run,
        store: Store | None,
        seed: int,
        monitor_every: int | None,
    ):
        self.step, self.run, self.store, self.monitor_every = step, run, store, monitor_every
        mesh = step.loss.mesh
        started = time.perf_counter()
        start, self.state = step.compile_start(seed)
        resumed = store is not None and store.latest is not None
        if resumed:
            self.state, run.history = store.restore(start())
            check_agreement({"checkpoint's step": int(self.state.step)})
            self.state = copy(self.state, mesh)
        # while one program is compiled, the next is traced
        self.advance, program = step.compile(self.state)
        check_agreement({"training step": program})
        if store is not None:
            store.check_program(program, 1 if mesh is None else mesh.size)
        if monitor_every is not None:
            self.monitor = Monitor(step)
            self.monitor.compile(self.state)
        if not resumed:
            self.state = start()
        self.advance.wait()
        if monitor_every is not None:
            self.monitor.wait()
        run.compile_seconds = time.perf_counter() - started
        run.device = str(jax.devices()[0].device_kind)
        if mesh is not None:
            run.device = f"{mesh.size} x {run.device}"
        run.steps = int(self.state.step)
        self._earlier_seconds = run.history.seconds
        self._clock = time.perf_counter()

    def run_to(self, steps, checkpoint_every, time_limit, *, disable_bar) -> None:
        run = self.run
        bar = tqdm(
            total=steps, initial=run.steps, disable=disable_bar, unit="step", mininterval=0.2
        )
        try:
            with bar, StopButton(terminate=self.store is not None) as stop:
                self._loop(steps, checkpoint_every, time_limit, bar, stop)
        except Exception as error:
            if several():  # the others cannot be asked to save with this one
                raise
            run.failed, run.steps = True, int(self.state.step)
            reason = str(error).partition("\n")[0][:300]
            run.status = (
                f"{type(error).__name__} after step {run.steps}: {reason}. What was computed "
                "until then was kept. If memory ran out, draw fewer points or train a smaller "
                "network"
            )
        except BaseException as error:
            run.status = f"{type(error).__name__} after step {int(self.state.step)} of {steps}"
            self._finish()
            error.run = run
            error.add_note(
                f"The run up to step {run.steps} is not lost: it is this error's attribute `run`, "
                "in a notebook `import sys; run = sys.last_value.run`."
            )
            raise
        self._finish()
        stop.deliver()

    def _loop(self, steps, checkpoint_every, time_limit, bar, stop) -> None:
        run = self.run
        per_chunk = 1
        # due at the start, and where an error struck between a step and its row
        if self._due() and run.history.last_step < run.steps:
            self._measure()
        run.status = f"completed {run.steps} steps"
        while run.steps < steps:
            ends = (self.monitor_every or steps, checkpoint_every)
            until = min(steps, *(_next(run.steps, every) for every in ends))
            taken, seconds, finite = self._advance(min(per_chunk, until - run.steps))
            bar.update(taken)
            if taken:
                per_chunk = max(1, min(4 * per_chunk, int(CHUNK_SECONDS * taken / seconds)))
            if not finite:
                run.failed, run.status = True, self.step.explain_failure(self.state)
                return
            if self._due(last=run.steps == steps):
                self._measure()
                bar.set_postfix_str(run.history.summary())
            if self.store is not None and run.steps % checkpoint_every == 0:
                self.store.save(self.state, run.history)
            run.status = f"completed {run.steps} steps"
            if run.steps == steps:
                return
            late = self.seconds > time_limit
            stopped, late, per_chunk = agree(stop.pressed, late, per_chunk)
            if stopped:
                by = "SIGTERM" if stop.terminated else "the user"
                run.status = f"stopped by {by} at step {run.steps} of {steps}"
                return
            if late:
                run.status = f"stopped by the time limit at step {run.steps} of {steps}"
                return

    def _finish(self) -> None:
        """Hand over and save the last good state, however training ended."""
        run = self.run
        run.steps, run.seconds = int(self.state.step), self.seconds
        params = evaluation_params(self.state.optimizer, self.state.params)
        run.network = self.step.network(on_one_device(params, self.step.loss.mesh))
        if self.store is not None:
            self.store.save(self.state, run.history)

    @property
    def seconds(self) -> float:
        """Wall time of training and monitoring, that of earlier sessions included."""
        return self._earlier_seconds + time.perf_counter() - self._clock

    def _advance(self, n: int) -> tuple[int, float, bool]:
        """Take at most n steps; return their number, their wall time, and if all were finite."""
        started, before = time.perf_counter(), self.run.steps
        state, finite = self.advance(self.state, n)
        finite = bool(finite)  # where the steps failed, it is here that their error is raised
        self.state = state
        self.run.steps = int(self.state.step)
        return self.run.steps - before, time.perf_counter() - started, finite

    def _due(self, *, last: bool = False) -> bool:
        """Whether there should be a row for this step."""
        every = self.monitor_every
        return every is not None and (last or self.run.steps % every == 0)

    def _measure(self) -> None:
        self.run.history.append(self.monitor(self.state, seconds=self.seconds))


def _next(done: int, every: int) -> int:
    return (done // every + 1) * every
