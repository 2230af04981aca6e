"""The linear map P that an optimizer currently applies to gradients, found in its state.

Most optimizers step along -P m: m averages gradients, P is a positive matrix that is known from the
optimizer's state alone. Frozen, P is a linear map, and can be applied to the gradient of each loss
term by itself: the parts of the step that the terms ask for.

    Adam              1 / (sqrt(v / (1 - b2^t)) + eps)                          arXiv 1412.6980
    RMSProp           1 / sqrt(v + eps)
    SOAP              the same as Adam's in its eigenbasis                      arXiv 2409.11321
    Muon              sqrt(max(1, n / m)) p(M M^T), the matrix that takes the momentum M (m, n) to
                      its nearly orthogonal factor; Adam elsewhere              Jordan et al. 2024
    L-BFGS            two-loop recursion over its memory                        Nocedal 1980
    Broyden's family  the inverse Hessian estimate
    Gauss-Newton      (J^T J + mu I)^-1 at the last damping mu

P is defined up to a positive factor (learning rates, clipping and averages of m leave it out), so
compare its entries with each other, not between optimizers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jax.scipy.linalg import cho_factor, cho_solve

from pinnkit.optimizers.soap import precondition

PyTree = Any

NEUTRAL = (
    "EmptyState",
    "TraceState",
    "EmaState",
    "ScaleByScheduleState",
    "ScaleByZoomLinesearchState",
    "ScaleByBacktrackingLinesearchState",
    "ZeroNansState",
    "AddNoiseState",
    "ReduceLROnPlateauState",
    "WeightDecaySchedule",
    "StepThenDecayState",
    "PCGradState",
)
"""States of transformations that do not precondition, by name: optax does not export them all."""

MAX_BYTES = 2**30
"""Largest matrix of Gauss-Newton that is factorized."""

INNER = ("inner_state", "inner_states", "base_optimizer_state", "inner_opt_state")
"""Where wrappers (masked, partition, inject_hyperparams, schedule_free, ..) keep states."""


class UnknownPreconditionerError(ValueError):
    """The state is of an optimizer whose P is not known, or not a single one."""


class _Block(NamedTuple):
    """P on the parameters that one transformation handles.

    Attributes:
        layout: a tree like the parameters, with optax.MaskedNode where others are in charge.
        ready: whether there is anything yet to precondition with.
        apply: maps gradients, masked in the same way, to directions.
    """

    layout: PyTree
    ready: jax.Array | bool
    apply: Callable[[PyTree], PyTree]


class _Options(NamedTuple):
    """Arguments of `preconditioner` beside the state."""

    params: PyTree
    least_squares: Any
    eps: float
    b2: float


def preconditioner(
    optimizer_state: PyTree,
    params: PyTree = None,
    *,
    least_squares=None,
    eps: float = 1e-8,
    b2: float = 0.999,
) -> Callable[[PyTree], PyTree]:
    """The optimizer's preconditioner, frozen at its current state.

    Args:
        optimizer_state: of `optax.adam` and its kin (not adamax, whose state looks the same),
            `optax.rmsprop`, `optax.contrib.muon`, `optax.lbfgs`, `soap`, `self_scaled_broyden` or
            `gauss_newton`, also where chained, masked, partitioned, injected or schedule-free.
            Parameters that no such state covers, as with gradient descent and momentum, get the
            identity.
        params: the parameters; needed by Gauss-Newton.
        least_squares: the residuals at which Gauss-Newton's J is taken, a `SumOfSquares` or
            anything like it.
        eps: as given to Adam, RMSProp and SOAP; a state does not tell.
        b2: as given to Adam. It matters to the relation between Adam's block and others, and to
            that of eps to the gradient, until (1 - b2^t) has come close to 1.

    Returns:
        A linear map from a gradient, a pytree like the parameters, to such a pytree; a step would
        go along its negative. `jax.vmap` of it takes a stack of gradients and factorizes nothing
        anew. Inside `jit` it gives nan before Adam's, Muon's and RMSProp's first and SOAP's
        second call.

    Raises:
        UnknownPreconditionerError: the state of an optimizer that is not in the list; two that
            precondition the same parameters, whose product need not be a descent direction; or
            a matrix of Gauss-Newton above 1 GiB.
        ValueError: parameters or residuals are missing or, outside `jit`, there is nothing yet
            to precondition with.

    Notes:
        What leaves no trace in a state is taken to be as in optax's defaults: RMSProp's eps inside
        the root, Muon's scale by shape and its five iterations, the initial scale of L-BFGS.
        Layerwise learning rates (`optax.lamb`) and what is done to the terms' gradients before P
        (`pcgrad`) are not seen.
    """
    options = _Options(params, least_squares, eps, b2)
    blocks = [
        BLOCKS[type(state).__name__](state, options) for state in _known_states(optimizer_state)
    ]
    _check_disjoint(blocks)
    for block in blocks:
        if not isinstance(block.ready, jax.core.Tracer) and not block.ready:
            raise ValueError(
                "the optimizer has nothing to precondition with before its first step (SOAP: "
                "before its second): take a step first"
            )

    def apply(gradient: PyTree) -> PyTree:
        for layout, ready, apply_block in blocks:
            directions = apply_block(_only(layout, gradient))
            directions = jax.tree.map(lambda d, r=ready: jnp.where(r, d, jnp.nan), directions)
            gradient = jax.tree.map(
                lambda d, g: g if _is_masked(d) else d, directions, gradient, is_leaf=_is_masked
            )
        return gradient

    return apply


def _known_states(node: PyTree) -> Iterator[NamedTuple]:
    kind = type(node).__name__
    inner = [getattr(node, name) for name in INNER if hasattr(node, name)]
    if kind in BLOCKS:
        yield node
    elif node is None or kind in NEUTRAL:
        return
    elif inner or isinstance(node, dict) or type(node) in (tuple, list):
        children = inner or (node.values() if isinstance(node, dict) else node)
        for child in children:
            yield from _known_states(child)
    else:
        raise UnknownPreconditionerError(
            f"no linear preconditioner is known for the optimizer state {kind}: "
            "expected one of " + ", ".join(BLOCKS)
        )


def _check_disjoint(blocks: list[_Block]) -> None:
    paths = [
        {jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(b.layout)}
        for b in blocks
    ]
    if sum(map(len, paths)) > len(set().union(*paths)):
        raise UnknownPreconditionerError(
            "more than one transformation in the chain preconditions the same parameters: "
            "their product has no single P; apply `preconditioner` to the state of each"
        )


def _is_masked(node: PyTree) -> bool:
    return isinstance(node, optax.MaskedNode)


def _only(layout: PyTree, gradient: PyTree) -> PyTree:
    """The gradient with what is masked in the layout masked."""
    return jax.tree.map(
        lambda own, g: own if _is_masked(own) else g, layout, gradient, is_leaf=_is_masked
    )


def _adam(state, options) -> _Block:
    def gain(v):
        correction = 1 - jnp.asarray(options.b2, v.dtype) ** state.count
        return 1 / (jnp.sqrt(v / correction) + options.eps)

    gains = jax.tree.map(gain, state.nu)
    return _Block(state.nu, state.count > 0, lambda g: jax.tree.map(jnp.multiply, gains, g))


def _rms(state, options) -> _Block:
    gains = jax.tree.map(lambda v: jax.lax.rsqrt(v + options.eps), state.nu)
    seen = sum(jnp.sum(v) for v in jax.tree.leaves(state.nu)) > 0
    return _Block(state.nu, seen, lambda g: jax.tree.map(jnp.multiply, gains, g))


def _soap(state, options) -> _Block:
    return _Block(state.momentum, state.count > 1, lambda g: precondition(state, g, options.eps))


def _muon(state, options, eps=1e-8, iterations=5) -> _Block:
    del options
    coefficients = jnp.atleast_2d(state.ns_coeffs)
    if len(coefficients) == 1:
        coefficients = jnp.tile(coefficients, (iterations, 1))

    def map_of(momentum):
        if momentum.ndim != 2:
            raise UnknownPreconditionerError(
                f"Muon's P is known for matrices only, got a momentum of shape {momentum.shape}"
            )
        rows, columns = momentum.shape
        left, s, right = jnp.linalg.svd(momentum, full_matrices=False)
        gain = 1 / (jnp.linalg.norm(s) + eps)
        x = s * gain
        for c0, c1, c2 in coefficients.astype(s.dtype):
            factor = c0 + c1 * x**2 + c2 * x**4
            gain, x = gain * factor, x * factor
        gain = gain * max(1, columns / rows) ** 0.5
        if rows <= columns:
            matrix = _product(left * gain, left.T)
            return lambda g: _product(matrix, g)
        matrix = _product(right.T * gain, right)
        return lambda g: _product(g, matrix)

    maps = jax.tree.map(map_of, state.mu)
    return _Block(
        state.mu, state.count > 0, lambda g: jax.tree.map(lambda apply, x: apply(x), maps, g)
    )


def _lbfgs(state, options) -> _Block:
    del options
    size = len(state.weights_memory)
    oldest_first = (state.count - 1 + jnp.arange(size)) % size
    flat = jax.vmap(lambda tree: ravel_pytree(tree)[0])
    steps = flat(state.diff_params_memory)[oldest_first]
    changes = flat(state.diff_updates_memory)[oldest_first]
    inverse_curvatures = state.weights_memory[oldest_first].astype(steps.dtype)
    square = jnp.vdot(changes[-1], changes[-1])
    scale = jnp.where(square > 0, jnp.vdot(steps[-1], changes[-1]) / square, 1.0)
    memory = (steps, changes, inverse_curvatures)

    def down(q, entry):
        s, y, rho = entry
        a = rho * jnp.vdot(s, q)
        return q - a * y, a

    def up(d, entry):
        (s, y, rho), a = entry
        return d + (a - rho * jnp.vdot(y, d)) * s, None

    def apply(gradient):
        vector, unravel = ravel_pytree(gradient)
        vector, a = jax.lax.scan(down, vector, memory, reverse=True)
        return unravel(jax.lax.scan(up, scale * vector, (memory, a))[0])

    return _Block(state.updates, True, apply)


def _broyden(state, options) -> _Block:
    del options
    return _Block(
        state.line_search.grad, True, _on_vectors(lambda g: _product(state.inverse_hessian, g))
    )


def _gauss_newton(state, options) -> _Block:
    params, least_squares = options.params, options.least_squares
    if params is None or least_squares is None:
        raise ValueError(
            "Gauss-Newton's preconditioner needs the parameters and the residuals: call "
            "preconditioner(state, params, least_squares=SumOfSquares(residual))"
        )
    flat = ravel_pytree(params)[0]
    n_residuals = jax.eval_shape(least_squares.residual, params).size
    size = min(n_residuals, flat.size)
    if size**2 * flat.dtype.itemsize > MAX_BYTES:
        raise UnknownPreconditionerError(
            f"Gauss-Newton's preconditioner would factorize a matrix of {size} x {size}, larger "
            f"than {MAX_BYTES / 2**30:.0f} GiB: draw fewer points or train a smaller network"
        )
    in_residuals = n_residuals < flat.size
    gram = (least_squares.kernel if in_residuals else least_squares.normal)(params)[0]
    shift = state.damping * jnp.trace(gram) / flat.size
    factor = cho_factor(gram + shift * jnp.eye(size, dtype=gram.dtype))
    if not in_residuals:
        return _Block(params, True, _on_vectors(lambda g: cho_solve(factor, g)))
    _, jvp, vjp = least_squares.products(params)

    def woodbury(g):
        return (g - vjp(cho_solve(factor, jvp(g)))) / shift

    def apply(g):  # Woodbury's difference cancels: once more for what it leaves
        d = woodbury(g)
        return d + woodbury(g - vjp(jvp(d)) - shift * d)

    return _Block(params, True, _on_vectors(apply))


def _on_vectors(apply: Callable[[jax.Array], jax.Array]) -> Callable[[PyTree], PyTree]:
    def on_tree(gradient):
        vector, unravel = ravel_pytree(gradient)
        return unravel(apply(vector))

    return on_tree


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


BLOCKS = {
    "ScaleByAdamState": _adam,
    "ScaleByRmsWithCountState": _adam,
    "ScaleByRmsState": _rms,
    "ScaleBySoapState": _soap,
    "MuonState": _muon,
    "ScaleByLBFGSState": _lbfgs,
    "SelfScaledBroydenState": _broyden,
    "GaussNewtonState": _gauss_newton,
}
"""States that precondition, and how to read P off them."""
