"""What a training run minimizes, as plain functions of the parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import optax
from flax import nnx

from pinnkit.least_squares import LeastSquares
from pinnkit.networks import check_network
from pinnkit.precision import dtype_of, precision
from pinnkit.problems import Problem
from pinnkit.sampling import UniformSampler
from pinnkit.terms import Loss
from pinnkit.training_step import TrainingStep
from pinnkit.weighting import CausalWeights

PyTree = Any


class Objective(NamedTuple):
    """A loss of fixed points at the parameters of a network.

    Attributes:
        params: the network's parameters as nested dictionaries.
        loss: maps parameters to the scalar that `pinnkit.fit` minimizes.
        residual: maps parameters to a vector r, shape (n,); |r|^2 is the loss.
        points: by region, arrays of shape (n, d).
    """

    params: PyTree
    loss: Callable[[PyTree], jax.Array]
    residual: Callable[[PyTree], jax.Array]
    points: Mapping[str, jax.Array]


def objective(
    problem: Problem,
    network: nnx.Module,
    points: UniformSampler | Mapping[str, jax.Array] | None = None,
    *,
    weights: Mapping[str, float] | None = None,
    causal: CausalWeights | None = None,
    seed: int = 0,
) -> Objective:
    """Loss and residual vector of a problem for a network, trained or not.

        params, loss, residual, _ = objective(run.problem, run.network)
        product = hessian_product(loss, params)

    Args:
        problem: the equation, its domain and its conditions.
        network: maps a point of shape (d,) to an array of shape (n_fields,).
        points: a sampler, or points by region as one returns them.
        weights: factor of each loss term; 1 where none is given.
        causal: optional weighting by time; held fixed when differentiated, as in training.
        seed: of the points; those of the first step of a `fit` with this seed.

    Returns:
        The functions in the precision of the network; in float64 call them, and what is built
        on them, inside `jax.enable_x64(True)`.

    Raises:
        ValueError, TypeError: an argument does not fit, as in `pinnkit.fit`.
    """
    loss = Loss(problem, dict(weights or {}), causal, getattr(network, "hard_terms", ()))
    dtype = dtype_of(nnx.state(network, nnx.Param))
    sampler = points if callable(points) else UniformSampler()
    with precision(dtype):
        check_network(problem, network, dtype)
        step = TrainingStep(loss, network, optax.identity(), sampler, dtype)
        state = step.initial_state(seed)
    points = state.points if points is None or callable(points) else points
    return Objective(
        state.params,
        lambda p: loss.total(step.losses(p, points)),
        LeastSquares(loss, step.network, points).residual,
        points,
    )
