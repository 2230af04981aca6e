"""A known fault of SOAP, to learn what it costs: the second moment is mostly thrown away.

A widely used JAX port (haydn-jones/SOAP_JAX, version 0.1.0) computes at every step

    v <- b2 v + (1 - b2) G'^2

and divides by its root, but stores the new v only at steps that refresh the bases, one in f; at all
others it returns the v of the step before. The average then moves once in f steps, although the
bias correction sqrt(1 - b2^t) counts them all. For |G'| = 1 at all times, the update of step t is
too long by

    sqrt( (1 - b2^t) / (1 - b2^(1 + floor((t - 1) / f))) ),

about sqrt(f) at first, and each update is dominated by the newest gradient: where that happens to
be small, it is longer still. Published results of physics-informed networks with SOAP were
probably obtained in this way.
"""

from __future__ import annotations

from numbers import Integral

import jax
import optax

from pinnkit.optimizers.soap import ScaleBySoapState, soap_state


def with_stale_second_moment(
    optimizer: optax.GradientTransformation, precondition_frequency: int
) -> optax.GradientTransformationExtraArgs:
    """SOAP whose second moment is stored only at steps that refresh the bases.

    All else is the optimizer's own: of the port, only this fault is taken over, neither its bias
    correction, which counts the skipped call, nor its refresh one step earlier.

    Args:
        optimizer: `soap`, `scale_by_soap`, or a chain that holds one of them.
        precondition_frequency: as given to it. With 1 nothing changes.

    Raises:
        ValueError: precondition_frequency is not an integer >= 1, or, at `init`, the optimizer's
            state holds no state of SOAP or more than one.
    """
    whole = isinstance(precondition_frequency, Integral)
    if isinstance(precondition_frequency, bool) or not whole or precondition_frequency < 1:
        raise ValueError(
            f"precondition_frequency must be an integer >= 1, got {precondition_frequency!r}"
        )
    optimizer = optax.with_extra_args_support(optimizer)

    def init(params):
        state = optimizer.init(params)
        soap_state(state)
        return state

    def update(gradients, state, params=None, **extra):
        updates, new = optimizer.update(gradients, state, params, **extra)
        return updates, jax.tree.map(keep_stale, new, state, is_leaf=_is_soap)

    def keep_stale(new, old):
        if not _is_soap(new):
            return new
        refreshed = old.count % precondition_frequency == 0
        v = optax.tree.where(refreshed, new.second_moment, old.second_moment)
        return new._replace(second_moment=v)

    return optax.GradientTransformationExtraArgs(init, update)


def _is_soap(state) -> bool:
    return isinstance(state, ScaleBySoapState)
