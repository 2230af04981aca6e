"""One training step as the compiler leaves it: its text, its operations, its memory."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import optax
from flax import nnx
from jax.sharding import Mesh

from pinnkit.compilation import EFFORT
from pinnkit.devices import device_mesh
from pinnkit.precision import dtype_of, precision
from pinnkit.problems import Problem
from pinnkit.sampling import UniformSampler
from pinnkit.terms import Loss
from pinnkit.training_step import TrainingState, TrainingStep
from pinnkit.weighting import CausalWeights


def compiled_step(
    problem: Problem,
    network: nnx.Module,
    optimizer: optax.GradientTransformation,
    points: UniformSampler | None = None,
    *,
    weights: Mapping[str, float] | None = None,
    causal: CausalWeights | None = None,
    resample_every: int = 1,
    micro_batch: int | None = None,
    devices: int | Mesh | None = None,
    seed: int = 0,
) -> tuple[jax.stages.Compiled, TrainingState]:
    """The step that `pinnkit.fit` repeats with these arguments, for looking at it.

        step, state = compiled_step(problem, network, pinnkit.soap(3e-3))
        step.cost_analysis()["flops"], step.memory_analysis().temp_size_in_bytes
        state, finite = step(state)

    XLA counts a product of matrices as 2 m k n operations, an elementwise one as 1, tanh and the
    like apart. The bytes are those that every operation reads and writes once fused, whether they
    come from memory or from a cache.

    Args:
        problem, network, optimizer, points, weights, causal, resample_every, micro_batch, devices,
            seed: as for `pinnkit.fit`.

    Returns:
        The compiled step and the state before the first one. `step.as_text()` is the program.
    """
    dtype = dtype_of(nnx.state(network, nnx.Param))
    with precision(dtype):
        skip = getattr(network, "hard_terms", ())
        loss = Loss(problem, weights or {}, causal, skip, micro_batch, device_mesh(devices))
        extended = optax.with_extra_args_support(optimizer)
        points = UniformSampler() if points is None else points
        step = TrainingStep(loss, network, extended, points, dtype, resample_every)
        state = step.initial_state(seed)
        lowered = jax.jit(step.step).lower(state)
        return lowered.compile(compiler_options=EFFORT.get(jax.default_backend())), state
