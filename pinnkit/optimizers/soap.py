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
import operator
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

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
    max_precond_dim: int | tuple[int, ...] = 10_000,
    one_sided: bool = False,
    precondition_1d: bool = False,
    normalize: bool = False,
    mesh: Mesh | None = None,
) -> optax.GradientTransformation:
    """Precondition gradients by SOAP, without learning rate and weight decay.

    Arguments, errors and notes as for `soap`.
    """
    for name, value in (("b1", b1), ("b2", b2), ("shampoo_beta", shampoo_beta)):
        if value is not None:
            _check(name, value, lambda x: 0 <= x < 1, "must lie in [0, 1)")
    _check("eps", eps, lambda x: x >= 0 and math.isfinite(x), "must be finite and >= 0")
    whole = "must be an integer >= 1"
    _check("precondition_frequency", precondition_frequency, _is_positive_integer, whole)
    by_axis = isinstance(max_precond_dim, tuple)
    for limit in max_precond_dim if by_axis else (max_precond_dim,):
        _check("max_precond_dim", limit, _is_positive_integer, whole)
    beta = b2 if shampoo_beta is None else shampoo_beta
    start, turn = (partial(branch, mesh=mesh) for branch in (_start, _turn))

    def identities(p):
        shape = jnp.shape(p)
        axes = range(len(shape) if precondition_1d or len(shape) > 1 else 0)
        limits = max_precond_dim if by_axis else (max_precond_dim,) * len(shape)
        if len(limits) < len(axes):
            raise ValueError(
                f"max_precond_dim needs an entry for every axis, got {limits} and an array of "
                f"shape {shape}"
            )
        axes = [i for i in axes if shape[i] <= limits[i]]
        if one_sided:
            axes = sorted(axes, key=lambda i: shape[i])[:1]
        dtype = jnp.result_type(p)
        return tuple(jnp.eye(n, dtype=dtype) if i in axes else None for i, n in enumerate(shape))

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

        def average(beta, old, new):
            return jnp.where(moving, beta * old + (1 - beta) * new, 0 * new)

        projected = [_project(g, q) for g, q in zip(leaves, bases, strict=True)]
        m = [average(b1, a, g) for a, g in zip(m, projected, strict=True)]
        v = [average(b2, a, g**2) for a, g in zip(v, projected, strict=True)]
        steps = [
            _project(jnp.where(moving, a / (jnp.sqrt(b) + eps), a), q, back=True)
            for a, b, q in zip(m, v, bases, strict=True)
        ]
        if normalize:
            steps = [n / (1e-30 + jnp.sqrt(jnp.mean(n**2))) for n in steps]
        steps = [_bias_correction(b1, b2, state.count, n.dtype) * n for n in steps]

        factors = [
            tuple(
                None if f is None else beta * f + (1 - beta) * _gram(g, axis)
                for axis, f in enumerate(fs)
            )
            for g, fs in zip(leaves, factors, strict=True)
        ]
        due = state.count % precondition_frequency == 0
        if jax.tree.leaves(bases):
            branch = jnp.where(moving, jnp.where(due, 2, 0), 1)
            m, v, bases = lax.switch(branch, [_rest, start, turn], m, v, factors, bases)
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
    max_precond_dim: int | tuple[int, ...] = 10_000,
    one_sided: bool = False,
    precondition_1d: bool = False,
    normalize: bool = False,
    mesh: Mesh | None = None,
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
        max_precond_dim: a longer axis gets no basis. A tuple limits the axes one by one from the
            left: (64, 1) gives a kernel of shape (n_in, n_out) at most a basis for its inputs.
        one_sided: only the shortest of those axes, the first of equals, gets a basis.
        precondition_1d: give vectors a basis, too; otherwise they are treated by Adam.
        normalize: divide the update of each array by its root mean square.
        mesh: devices over which the bases are spread while they are updated: those of one size in
            equal numbers, each whole on one device. By default every device updates all of them.

    Returns:
        An optax transformation that works under jit, scan and vmap, alone or in a chain. Its
        state has the dtype of the parameters.

    Raises:
        ValueError: an option is out of range.
        TypeError: parameters or gradients are not float32 or float64.

    Notes:
        In float32 the gradients of a wide layer have directions in which they are nothing but
        rounding noise above eps. Like Adam, SOAP scales that noise to steps of the size lr.

        A gradient that is not finite makes the update and all averages so, as with optax.adam;
        only the bases stay finite. `optax.apply_if_finite` leaves out such a call and keeps the
        state of the call before.

        Under `vmap` over the state both branches of the basis update are computed every step,
        and under `optax.MultiSteps` all of it for every small batch. MultiSteps sums in float32
        unless it is given `accumulator_dtype=jnp.float64`.

        `optax.inject_hyperparams(soap)` needs no static arguments unless `init` is compiled: then
        max_precond_dim must be one, or be given as a tuple.

    Reference:
        Vyas et al. 2024, "SOAP: Improving and Stabilizing Shampoo using Adam", arXiv 2409.11321.
    """
    if isinstance(learning_rate, str | numbers.Real) and not (
        isinstance(learning_rate, numbers.Real) and 0 <= learning_rate < math.inf
    ):
        raise ValueError(
            f"learning_rate must be finite and >= 0, or a schedule, got {learning_rate!r}"
        )
    _check("weight_decay", weight_decay, lambda x: x >= 0, "must be >= 0")
    return optax.chain(
        scale_by_soap(
            b1=b1,
            b2=b2,
            shampoo_beta=shampoo_beta,
            eps=eps,
            precondition_frequency=precondition_frequency,
            max_precond_dim=max_precond_dim,
            one_sided=one_sided,
            precondition_1d=precondition_1d,
            normalize=normalize,
            mesh=mesh,
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
            _project(_project(g, q) / (jnp.sqrt(a) + eps), q, back=True)
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
        if isinstance(weight_decay, jax.Array) or weight_decay:
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


def _project(array, bases, back: bool = False):
    """Multiply every axis by the transpose of its basis or, on the way back, by the basis."""
    if all(q is None for q in bases):
        return array
    for q in bases:
        if q is None:
            array = jnp.moveaxis(array, 0, -1)
        else:
            array = jnp.tensordot(array, q, axes=((0,), (int(back),)), precision=HIGHEST)
    return array


def _gram(gradient, axis: int):
    others = [i for i in range(gradient.ndim) if i != axis]
    return jnp.tensordot(gradient, gradient, axes=(others, others), precision=HIGHEST)


def _bias_correction(b1: float, b2: float, count, dtype):
    t = jnp.maximum(count, 1).astype(dtype)
    return jnp.sqrt(1 - jnp.asarray(b2, dtype) ** t) / (1 - jnp.asarray(b1, dtype) ** t)


def _by_size(function: Callable, factors, bases, mesh: Mesh | None) -> list:
    """Apply a function of stacked matrices to all factors and bases of one size and dtype at once.

    Each of its outputs is handed out again in the structure of `factors`.
    """
    pairs = list(zip(jax.tree.leaves(factors), jax.tree.leaves(bases), strict=True))
    members = {}
    for i, (f, _) in enumerate(pairs):
        members.setdefault((f.shape, f.dtype), []).append(i)
    results, function = {}, function if mesh is None else _spread(function, mesh)
    for group in members.values():
        stacked = (jnp.stack(column) for column in zip(*(pairs[i] for i in group), strict=True))
        results |= zip(group, zip(*function(*stacked), strict=True), strict=True)
    structure = jax.tree.structure(factors)
    columns = zip(*(results[i] for i in range(len(pairs))), strict=True)
    return [structure.unflatten(column) for column in columns]


def _spread(function: Callable, mesh: Mesh) -> Callable:
    """The function, each device working on as many of the stacked matrices as any other."""
    mesh = Mesh(mesh.devices, mesh.axis_names, axis_types=(AxisType.Auto,) * mesh.devices.ndim)
    parted = NamedSharding(mesh, PartitionSpec(mesh.axis_names))
    whole = NamedSharding(mesh, PartitionSpec())

    def spread(*stacked):
        n, side = stacked[0].shape[:2]
        more = jnp.broadcast_to(jnp.eye(side, dtype=stacked[0].dtype), (-n % mesh.size, side, side))
        stacked = [jnp.concatenate([s, more]) for s in stacked]
        results = function(*lax.with_sharding_constraint(stacked, parted))
        return [r[:n] for r in lax.with_sharding_constraint(results, whole)]

    return spread


def _rest(m, v, factors, bases):
    return m, v, bases


def _start(m, v, factors, bases, *, mesh):
    def eigenvectors(factors, bases):
        tiny = 1e-30 * jnp.eye(factors.shape[-1], dtype=factors.dtype)
        new = jnp.linalg.eigh(factors + tiny)[1][..., ::-1]
        return (jnp.where(_all_finite(new), new, bases),)

    return m, v, *_by_size(eigenvectors, factors, bases, mesh)


def _iterate(factors, bases):
    """One step of orthogonal iteration: new bases, Q_old^T Q_new, and the order of the columns."""
    images = jnp.matmul(factors, bases, precision=HIGHEST)
    order = jnp.argsort(-jnp.sum(bases * images, axis=-2))
    new = jnp.linalg.qr(jnp.take_along_axis(images, order[:, None], axis=-1))[0]
    usable = _all_finite(new)
    new = jnp.where(usable, new, bases)
    change = jnp.matmul(jnp.matrix_transpose(bases), new, precision=HIGHEST)
    return new, change, jnp.where(usable[..., 0], order, jnp.arange(order.shape[-1]))


def _turn(m, v, factors, bases, *, mesh):
    """The bases after one step of iteration; v is permuted with them, m' re-expressed."""
    bases, changes, orders = _by_size(_iterate, factors, bases, mesh)
    m = [_project(a, change) for a, change in zip(m, changes, strict=True)]
    for i, order_by_axis in enumerate(orders):
        for axis, order in enumerate(order_by_axis):
            v[i] = v[i] if order is None else jnp.take(v[i], order, axis=axis)
    return m, v, bases


def _all_finite(matrices):
    return jnp.all(jnp.isfinite(matrices), axis=(-2, -1), keepdims=True)


def _check(name: str, value, fits: Callable[[Any], bool], expected: str) -> None:
    """Raise a ValueError unless the value fits; what is traced cannot be looked at."""
    if not isinstance(value, jax.core.Tracer) and not fits(value):
        raise ValueError(f"{name} {expected}, got {value!r}")


def _is_positive_integer(value) -> bool:
    try:
        return not isinstance(value, bool) and operator.index(value) >= 1
    except TypeError:
        return False


def _check_floats(tree: PyTree, what: str) -> None:
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        dtype = jnp.result_type(leaf)
        if dtype not in (jnp.float32, jnp.float64):
            raise TypeError(
                f"SOAP needs float32 or float64 {what}, got {dtype} in "
                f"{what}{jax.tree_util.keystr(path)}: convert them, or mask them with optax.masked"
            )
