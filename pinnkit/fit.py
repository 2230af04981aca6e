"""Training: one function and one loop for every optax transformation."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping
from pathlib import Path

import jax
import optax
from flax import nnx
from tqdm.auto import tqdm

from pinnkit import checkpoints
from pinnkit.interrupt import StopButton
from pinnkit.monitors import Monitor
from pinnkit.networks import check_network
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
    weights: Mapping[str, float] | None = None,
    causal: CausalWeights | None = None,
    seed: int = 0,
    monitor_every: int = 100,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 1000,
    time_limit: float = math.inf,
    progress: bool = True,
) -> Run:
    """Train a network to solve a problem.

    The loss is the weighted sum of each term's mean squared residual at points that are drawn
    afresh on the device at every step. Steps run on the device in chunks of about half a second,
    between which the progress bar moves and the Stop button (or Ctrl-C) is heard.

    Args:
        problem: the equation, its domain and its conditions.
        network: maps a point of shape (d,) to an array of shape (n_fields,); left unchanged. The
            dtype of its parameters sets the precision of the whole run.
        optimizer: any optax transformation; `value`, `grad` and `value_fn` are passed to those
            that take extra arguments, such as `optax.lbfgs`.
        steps: number of optimizer steps in all, those of a resumed checkpoint included.
        points: how many points are drawn, and where.
        weights: factor of each loss term; 1 where none is given.
        causal: optional weighting of the equation's residuals by time.
        seed: of the collocation points.
        monitor_every: steps between two rows of the history.
        checkpoint: folder to save to; if it holds a run of the same problem and network, that
            run is continued, bit for bit as if it had not been interrupted.
        checkpoint_every: steps between two checkpoints.
        time_limit: seconds of training (compilation not counted) after which to stop.
        progress: show a bar.

    Returns:
        The trained network with its history. It is returned, too, when training is stopped early:
        by the Stop button, by the time limit, or by a loss that is not finite, which leaves
        the last good state and a warning that says what to try. `run.status` tells which.

    Raises:
        ValueError, TypeError: an argument does not fit; nothing has been computed then.
    """
    for name, value in (
        ("steps", steps),
        ("monitor_every", monitor_every),
        ("checkpoint_every", checkpoint_every),
    ):
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be an integer >= 1, got {value!r}")
    if not isinstance(optimizer, optax.GradientTransformation):
        raise TypeError(
            f"optimizer must be an optax.GradientTransformation, got {type(optimizer).__name__}: "
            "for example pinnkit.soap(1e-3) or optax.adam(1e-3)"
        )
    points = points or UniformSampler()
    loss = Loss(problem, dict(weights or {}), causal, getattr(network, "hard_terms", ()))
    dtype = dtype_of(nnx.state(network, nnx.Param))
    with precision(dtype):
        check_network(problem, network, dtype)
        step = TrainingStep(loss, network, optax.with_extra_args_support(optimizer), points, dtype)
        return _train(
            step,
            problem,
            network,
            steps,
            seed,
            monitor_every,
            checkpoint,
            checkpoint_every,
            time_limit,
            progress,
        )


def _train(
    step,
    problem,
    network,
    steps,
    seed,
    monitor_every,
    checkpoint,
    checkpoint_every,
    time_limit,
    progress,
) -> Run:
    state = step.initial_state(seed)
    monitor = Monitor(step)
    run = Run(problem, network, seed=seed)
    store = checkpoints.Store.open(checkpoint, problem, network)
    if store is not None and store.latest is not None:
        state, run.history = store.restore(state)
        run.status = f"resumed from step {int(state.step)}"

    started = time.perf_counter()
    advance = step.compile(state)
    monitor.compile(state)
    run.compile_seconds = time.perf_counter() - started

    done = int(state.step)
    before = run.history.seconds
    clock = time.perf_counter()
    per_chunk = 1
    bar = tqdm(total=steps, initial=done, disable=not progress, unit="step", mininterval=0.2)
    with bar, StopButton() as stop:
        if done == 0:
            run.history.append(monitor(state, seconds=0.0))
        while done < steps:
            until = min(_next(done, monitor_every), _next(done, checkpoint_every), steps)
            chunk_started = time.perf_counter()
            state, finite = advance(state, min(per_chunk, until - done))
            finite = bool(finite)
            now = time.perf_counter()
            taken, done = int(state.step) - done, int(state.step)
            bar.update(taken)
            if taken:
                speed = taken / (now - chunk_started)
                per_chunk = max(1, min(4 * per_chunk, int(CHUNK_SECONDS * speed)))
            seconds = before + now - clock
            if not finite:
                run.status = step.explain_failure(state)
                break
            if done % monitor_every == 0 or done == steps:
                run.history.append(monitor(state, seconds=seconds))
                bar.set_postfix_str(run.history.summary())
            if store is not None and done % checkpoint_every == 0 and done < steps:
                store.save(state, run.history)
            if stop.pressed:
                run.status = f"stopped by the user at step {done} of {steps}"
                break
            if seconds > time_limit:
                run.status = f"stopped by the time limit at step {done} of {steps}"
                break
        else:
            run.status = f"completed {steps} steps"
    run.seconds = before + time.perf_counter() - clock
    if store is not None:
        store.save(state, run.history)
        store.close()
    run.network = step.network(state.params)
    run.steps = done
    run.device = str(jax.devices()[0].device_kind)
    if "not finite" in run.status:
        warnings.warn(run.status, RuntimeWarning, stacklevel=3)
    return run


def _next(done: int, every: int) -> int:
    return (done // every + 1) * every
