"""Schedule-free SOAP: a constant rate and an average of the iterates instead of a decaying rate.

Schedule-free learning (Defazio et al. 2024, arXiv 2405.15682) keeps three sequences,

    y = (1 - b1) z + b1 x            where gradients are taken
    z <- z - lr N(gradient at y)     the steps of an optimizer without momentum
    x <- (1 - c) x + c z             their average, where the result is evaluated

with c = lr_t^2 / sum of lr_s^2 up to t, so that steps of the warm-up count less. The parameters
that training carries are y; the result is x, which is had from

    params = evaluation_params(state, params)
"""

from __future__ import annotations

import math
import numbers
from typing import Any, NamedTuple

import jax
import optax
from optax.contrib import ScheduleFreeState, schedule_free, schedule_free_eval_params

from pinnkit.optimizers.soap import soap

PyTree = Any


class EvaluatedAsIsState(NamedTuple):
    """State of an optimizer whose result are the parameters that training carries."""

    inner_state: PyTree


def schedule_free_soap(
    learning_rate: float, *, warmup_steps: int, b1: float = 0.9, **options
) -> optax.GradientTransformationExtraArgs:
    """Schedule-free learning round SOAP without momentum, as both papers define it.

    The rate grows linearly from zero in `warmup_steps` calls and stays. SOAP's first call, which
    only builds its bases, has rate and weight zero: the average begins with the second call.

        optimizer = schedule_free_soap(3e-3, warmup_steps=100)
        state = optimizer.init(params)
        for _ in range(steps):
            updates, state = optimizer.update(gradient(params), state, params)
            params = optax.apply_updates(params, updates)
        result = evaluation_params(state, params)

    Args:
        learning_rate: lr, a positive number; a decay would defeat the purpose.
        warmup_steps: calls until the full rate, at least 1.
        b1: weight of the average where gradients are taken, in (0, 1). It takes the place of
            SOAP's momentum, which is off.
        options: of `soap`, all but the learning rate and b1.

    Raises:
        ValueError: an argument is out of range.

    Reference:
        Defazio et al. 2024, "The Road Less Scheduled", arXiv 2405.15682.
    """
    if not (isinstance(learning_rate, numbers.Real) and 0 < learning_rate < math.inf):
        raise ValueError(
            f"learning_rate must be a positive number, got {learning_rate!r}: schedule-free "
            "training keeps it constant"
        )
    whole = isinstance(warmup_steps, numbers.Integral) and not isinstance(warmup_steps, bool)
    if not whole or warmup_steps < 1:
        raise ValueError(f"warmup_steps must be an integer >= 1, got {warmup_steps!r}")
    _check_weight(b1)
    rate = optax.warmup_constant_schedule(0.0, learning_rate, warmup_steps)
    # optax counts the calls of schedule_free from 1, those of its base optimizer from 0
    return schedule_free(soap(rate, b1=0.0, **options), lambda count: rate(count - 1), b1)


def schedule_free_soap_with_momentum(
    learning_rate: optax.ScalarOrSchedule, *, b1: float = 0.9, momentum: float = 0.95, **options
) -> optax.GradientTransformationExtraArgs:
    """What published PINN code calls schedule-free SOAP, for comparison with its results.

    It differs from `schedule_free_soap` in three ways. SOAP keeps its own momentum, so gradients
    are averaged twice; the rate is a schedule that may decay, which schedule-free learning exists
    to avoid, and the average is weighted by the largest rate so far, which a decay leaves as it
    is; and the result is y, where gradients are taken: the average is never looked at, and
    `evaluation_params` returns the parameters as they are.

    Args:
        learning_rate: a number or an optax schedule of the number of calls.
        b1: weight of the average where gradients are taken, in (0, 1).
        momentum: SOAP's b1.
        options: of `soap`, all but the learning rate and b1.

    Raises:
        ValueError: an argument is out of range.
    """
    _check_weight(b1)
    inner = schedule_free(soap(learning_rate, b1=momentum, **options), learning_rate, b1)

    def init(params):
        return EvaluatedAsIsState(inner.init(params))

    def update(gradients, state, params=None, **extra):
        updates, state = inner.update(gradients, state.inner_state, params, **extra)
        return updates, EvaluatedAsIsState(state)

    return optax.GradientTransformationExtraArgs(init, update)


def evaluation_params(optimizer_state: PyTree, params: PyTree) -> PyTree:
    """The parameters at which the result of training is to be evaluated.

    Args:
        optimizer_state: of any optimizer.
        params: those that training carries, from the same call as the state.

    Returns:
        The average x of a schedule-free optimizer, found anywhere inside the state; otherwise
        the parameters as they are.

    Raises:
        ValueError: there is more than one schedule-free state.
    """
    known = ScheduleFreeState | EvaluatedAsIsState
    leaves = jax.tree.leaves(optimizer_state, is_leaf=lambda s: isinstance(s, known))
    found = [s for s in leaves if isinstance(s, ScheduleFreeState)]
    if len(found) > 1:
        raise ValueError(
            f"expected at most one schedule-free state, found {len(found)}: evaluate each part "
            "with optax.contrib.schedule_free_eval_params"
        )
    return schedule_free_eval_params(found[0], params) if found else params


def _check_weight(b1) -> None:
    if not 0 < b1 < 1:
        raise ValueError(f"b1 must lie in (0, 1), got {b1!r}")
