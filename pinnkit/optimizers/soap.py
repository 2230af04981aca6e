"""SOAP: Adam in the slowly turning eigenbasis of Shampoo's preconditioner.

For a weight matrix W with gradient G (Vyas et al. 2024, arXiv 2409.11321):

    G' = Q_L^T G Q_R                                     into the basis
    m' <- b1 m' + (1 - b1) G',   v <- b2 v + (1 - b2) G'^2
    N  = Q_L [ m' / (sqrt(v) + eps) ] Q_R^T              Adam there, and back
    W  <- W - lr sqrt(1 - b2^t) / (1 - b1^t) N,   then   W <- W - lr wd W
    L  <- bs L + (1 - bs) G G^T,   R <- bs R + (1 - bs) G^T G

Every `precondition_frequency` steps the bases follow their factors by one step of orthogonal
iteration, Q <- qr(L Q), after the columns of Q, and v with them, have been sorted by falling
diag(Q^T L Q). The first call only builds the bases: a gradient never enters its own projection,
so no parameter moves and m, v and t stay zero.

The transformation needs nothing else of pinnkit:

    optimizer = soap(3e-3)
    state = optimizer.init(params)
    updates, state = optimizer.update(gradients, state, params)
    params = optax.apply_updates(params, updates)
"""

from __future__ import annotations

import math
import numbers
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

PyTree = Any
HIGHEST = lax.Precision.HIGHEST


class ScaleBySoapState(NamedTuple):
    """State of `scale_by_soap`.

    Attributes:
        count: number of calls, a scalar int32; t in the formulas is the number before this call.
        momentum: m', in the basis, shaped like the parameters.
        second_moment: v, in the basis, shaped like the parameters.
        factors: for each parameter a tuple of one Gram matrix (L, R, ..) per axis; None where
            the axis is not preconditioned.
        bases: the orthogonal matrices Q that belong to the factors.
    """

    count: jax.Array
    momentum: PyTree
    second_moment: PyTree
    factors: PyTree
    bases: PyTree


def scale_by_soap(
    b1: float = 0.95,
    b2: float = 0.95,
    shampoo_beta: float | None = None,
    eps: float = 1e-8,
    precondition_frequency: int = 10,
    max_precond_dim: int = 10_000,
    precondition_1d: bool = False,
    normalize: bool = False,
) -> optax.GradientTransformation:
    """Precondition gradients by SOAP, without learning rate and weight decay.

    Arguments, errors and notes as for `soap`.
    """
    for name, value in (("b1", b1), ("b2", b2), ("shampoo_beta", shampoo_beta)):
        if value is not None and not 0 <= value < 1:
            raise ValueError(f"{name} must lie in [0, 1), got {value!r}")
    if not (eps >= 0 and math.isfinite(eps)):
        raise ValueError(f"eps must be finite and >= 0, got {eps!r}")
    for name, value in (
        ("precondition_frequency", precondition_frequency),
        ("max_precond_dim", max_precond_dim),
    ):
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
            raise ValueError(f"{name} must be an integer >= 1, got {value!r}")
    beta = b2 if shampoo_beta is None else shampoo_beta

    def identities(p):
        shape = jnp.shape(p)
        skip = len(shape) < (1 if precondition_1d else 2)
        kept = [None if skip or n > max_precond_dim else n for n in shape]
        return tuple(None if n is None else jnp.eye(n, dtype=jnp.result_type(p)) for n in kept)

    def init(params):
        _check_floats(params, "parameters")
        bases = jax.tree.map(identities, params)
        return ScaleBySoapState(
            count=jnp.zeros((), jnp.int32),
            momentum=jax.tree.map(jnp.zeros_like, params),
            second_moment=jax.tree.map(jnp.zeros_like, params),
            factors=jax.tree.map(jnp.zeros_like, bases),
            bases=bases,
        )

    def update(gradients, state, params=None):
        del params
        _check_floats(gradients, "gradients")
        leaves, structure = jax.tree.flatten(gradients)
        moving = state.count > 0
        m, v, factors, bases = (structure.flatten_up_to(tree) for tree in state[1:])

        projected = [_project(g, q) for g, q in zip(leaves, bases, strict=True)]
        m = [jnp.where(moving, b1 * a + (1 - b1) * g, 0) for a, g in zip(m, projected, strict=True)]
        v = [
            jnp.where(moving, b2 * a + (1 - b2) * g**2, 0)
            for a, g in zip(v, projected, strict=True)
        ]
        steps = [
            _project_back(jnp.where(moving, a / (jnp.sqrt(b) + eps), 0), q)
            for a, b, q in zip(m, v, bases, strict=True)
        ]
        if normalize:
            steps = [n / (1e-30 + jnp.sqrt(jnp.mean(n**2))) for n in steps]
        steps = [_bias_correction(b1, b2, state.count, n.dtype) * n for n in steps]

        factors = [
            tuple(
                None if f is None else _running_mean(f, _gram(g, axis), beta)
                for axis, f in enumerate(fs)
            )
            for g, fs in zip(leaves, factors, strict=True)
        ]
        due = state.count % precondition_frequency == 0
        m, v, bases = lax.switch(
            jnp.where(moving, jnp.where(due, 2, 0), 1),
            [
                lambda m, v, factors, bases: (m, v, bases),
                lambda m, v, factors, bases: (m, v, _first_bases(factors, bases)),
                _turn,
            ],
            m,
            v,
            factors,
            bases,
        )
        new = ScaleBySoapState(
            optax.safe_increment(state.count),
            *(structure.unflatten(tree) for tree in (m, v, factors, bases)),
        )
        return structure.unflatten(steps), new

    return optax.GradientTransformation(init, update)


def soap(
    learning_rate: optax.ScalarOrSchedule,
    *,
    b1: float = 0.95,
    b2: float = 0.95,
    shampoo_beta: float | None = None,
    eps: float = 1e-8,
    weight_decay: float = 0.01,
    precondition_frequency: int = 10,
    max_precond_dim: int = 10_000,
    precondition_1d: bool = False,
    normalize: bool = False,
) -> optax.GradientTransformation:
    """SOAP as its authors define it, with their defaults except for the learning rate.

    Args:
        learning_rate: lr, a number or an optax schedule of the number of calls. The authors
            use 3e-3.
        b1: decay of the momentum, in [0, 1).
        b2: decay of the second moment, in [0, 1).
        shampoo_beta: decay of the factors L and R; b2 if None.
        eps: added to the root of the uncorrected second moment (optax.adam corrects first).
        weight_decay: wd >= 0, decoupled, applied after the step and not at the first call.
        precondition_frequency: steps between two updates of the bases.
        max_precond_dim: a longer axis gets no basis; on one axis only this is one-sided SOAP.
        precondition_1d: give vectors a basis, too; otherwise they are treated by Adam.
        normalize: divide the update of each array by its root mean square.

    Returns:
        An optax transformation that works under jit, scan and vmap, alone or in a chain. Its
        state has the dtype of the parameters.

    Raises:
        ValueError: an option is out of range.
        TypeError: parameters or gradients are not float32 or float64.

    Notes:
        In float32 the gradients of a wide layer have directions in which they are nothing but
        rounding noise above eps. Like Adam, SOAP scales that noise to steps of the size lr.
        Under `vmap` over the state both branches of the basis update are computed every step.

    Reference:
        Vyas et al. 2024, "SOAP: Improving and Stabilizing Shampoo using Adam", arXiv 2409.11321.
    """
    if isinstance(learning_rate, str | numbers.Real) and not (
        isinstance(learning_rate, numbers.Real) and 0 <= learning_rate < math.inf
    ):
        raise ValueError(
            f"learning_rate must be finite and >= 0, or a schedule, got {learning_rate!r}"
        )
    if not weight_decay >= 0:
        raise ValueError(f"weight_decay must be >= 0, got {weight_decay!r}")
    return optax.chain(
        scale_by_soap(
            b1=b1,
            b2=b2,
            shampoo_beta=shampoo_beta,
            eps=eps,
            precondition_frequency=precondition_frequency,
            max_precond_dim=max_precond_dim,
            precondition_1d=precondition_1d,
            normalize=normalize,
        ),
        _step_then_decay(learning_rate, weight_decay),
    )


def precondition(state: Any, gradients: PyTree, eps: float = 1e-8) -> PyTree:
    """SOAP's current preconditioner applied to gradients: a linear map, up to a scalar factor.

        G -> Q_L [ (Q_L^T G Q_R) / (sqrt(v) + eps) ] Q_R^T

    Args:
        state: of `soap` or `scale_by_soap`, or of a chain that holds one of them.
        gradients: a pytree like the parameters.
        eps: as given to `soap`.

    Raises:
        ValueError: no state of SOAP, or more than one, is found, or it has seen no step yet.
    """
    state = soap_state(state)
    if not isinstance(state.count, jax.core.Tracer) and int(state.count) < 2:
        raise ValueError("SOAP has no second moment before its second call: take a step first")
    leaves, structure = jax.tree.flatten(gradients)
    v, bases = (structure.flatten_up_to(t) for t in (state.second_moment, state.bases))
    return structure.unflatten(
        [
            _project_back(_project(g, q) / (jnp.sqrt(a) + eps), q)
            for g, a, q in zip(leaves, v, bases, strict=True)
        ]
    )


def soap_state(state: Any) -> ScaleBySoapState:
    """The one SOAP state inside a nested optimizer state.

    Raises:
        ValueError: there is none, or more than one.
    """
    leaves = jax.tree.leaves(state, is_leaf=lambda s: isinstance(s, ScaleBySoapState))
    found = [s for s in leaves if isinstance(s, ScaleBySoapState)]
    if len(found) != 1:
        raise ValueError(f"expected one SOAP state in the optimizer state, found {len(found)}")
    return found[0]


class StepThenDecayState(NamedTuple):
    """Number of calls so far, a scalar int32."""

    count: jax.Array


def _step_then_decay(learning_rate, weight_decay) -> optax.GradientTransformation:
    def init(params):
        del params
        return StepThenDecayState(jnp.zeros((), jnp.int32))

    def update(directions, state, params=None):
        rate = learning_rate(state.count) if callable(learning_rate) else learning_rate
        updates = jax.tree.map(lambda n: -jnp.asarray(rate, n.dtype) * n, directions)
        if weight_decay:
            if params is None:
                raise ValueError(
                    "SOAP's weight decay needs the parameters: call update(gradients, state, "
                    "params), or set weight_decay=0"
                )
            decay = jnp.where(state.count > 0, rate * weight_decay, 0.0)
            updates = jax.tree.map(
                lambda u, p: u - decay.astype(u.dtype) * (p + u), updates, params
            )
        return updates, StepThenDecayState(optax.safe_increment(state.count))

    return optax.GradientTransformation(init, update)


def _project(array, bases):
    """Multiply every axis by the transpose of its basis."""
    return _along_axes(array, bases, 0)


def _project_back(array, bases):
    return _along_axes(array, bases, 1)


def _along_axes(array, matrices, contracted: int):
    if all(q is None for q in matrices):
        return array
    for q in matrices:
        if q is None:
            array = jnp.moveaxis(array, 0, -1)
        else:
            array = jnp.tensordot(array, q, axes=((0,), (contracted,)), precision=HIGHEST)
    return array


def _gram(gradient, axis: int):
    others = [i for i in range(gradient.ndim) if i != axis]
    return jnp.tensordot(gradient, gradient, axes=(others, others), precision=HIGHEST)


def _running_mean(factor, gram, beta: float):
    """The factor after one more gradient; a gradient that is not finite is passed over."""
    mean = beta * factor + (1 - beta) * gram
    return jnp.where(jnp.isfinite(jnp.sum(gram)), mean, factor)


def _bias_correction(b1: float, b2: float, count, dtype):
    t = jnp.maximum(count, 1).astype(dtype)
    return jnp.sqrt(1 - jnp.asarray(b2, dtype) ** t) / (1 - jnp.asarray(b1, dtype) ** t)


def _first_bases(factors, bases):
    def eigenvectors(factor, basis):
        n = len(factor)
        q = jnp.linalg.eigh(factor + 1e-30 * jnp.eye(n, dtype=factor.dtype))[1][:, ::-1]
        return jnp.where(jnp.all(jnp.isfinite(q)), q, basis)

    return [
        tuple(None if f is None else eigenvectors(f, q) for f, q in zip(fs, qs, strict=True))
        for fs, qs in zip(factors, bases, strict=True)
    ]


def _turn(m, v, factors, bases):
    """One step of orthogonal iteration for all bases; v is permuted, m' re-expressed."""
    new_m, new_v, new_bases = [], [], []
    for a, b, fs, qs in zip(m, v, factors, bases, strict=True):
        turned = []
        for axis, (f, q) in enumerate(zip(fs, qs, strict=True)):
            if f is None:
                turned.append(None)
                continue
            image = jnp.matmul(f, q, precision=HIGHEST)
            order = jnp.argsort(-jnp.sum(q * image, axis=0))
            new = jnp.linalg.qr(image[:, order])[0]
            usable = jnp.all(jnp.isfinite(new))
            turned.append(jnp.where(usable, new, q))
            b = jnp.where(usable, jnp.take(b, order, axis=axis), b)
        change = tuple(
            None if q is None else jnp.matmul(q.T, p, precision=HIGHEST)
            for q, p in zip(qs, turned, strict=True)
        )
        new_m.append(_project(a, change))
        new_v.append(b)
        new_bases.append(tuple(turned))
    return new_m, new_v, new_bases


def _check_floats(tree: PyTree, what: str) -> None:
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        dtype = jnp.result_type(leaf)
        if dtype not in (jnp.float32, jnp.float64):
            raise TypeError(
                f"SOAP needs float32 or float64 {what}, got {dtype} in "
                f"{what}{jax.tree_util.keystr(path)}: convert them, or mask them with optax.masked"
            )
