"""Gauss-Newton with Levenberg-Marquardt damping, as an optax transformation.

A loss that is a sum of squares, L = |r(w)|^2, has near its minimum the Hessian 2 J^T J, J the
Jacobian of the residual vector r. The damped step

    d = - (J^T J + mu I)^-1 J^T r  =  - J^T (J J^T + mu I)^-1 r

(Levenberg 1944; Marquardt 1963, J. SIAM 11, 431) is solved for in the space of the parameters or,
where there are fewer residuals, in that of the residuals: the second form, by Woodbury's identity,
is the kernel form of natural gradients (arXiv 2505.21404). Where both matrices are too large, the
one of the smaller side is only multiplied with vectors. One Jacobian, or one Krylov space, serves
several values of mu, which cost little beside it; the step that lowers the loss most is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from pinnkit.optimizers._linear_solvers import cholesky, lanczos

PyTree = Any
SPACES = ("auto", "parameters", "residuals", "matrix_free")
PROBES = 8


class GaussNewtonState(NamedTuple):
    """State of `gauss_newton`.

    Attributes:
        damping: mu of the last step, relative to the mean of the diagonal of J^T J.
        accepted: whether the last step lowered the loss; otherwise no step was taken.
    """

    damping: jax.Array
    accepted: jax.Array


class SumOfSquares:
    """A loss |r|^2 by its residual vector.

    Args:
        residual: maps parameters to r, an array of shape (n,).
    """

    def __init__(self, residual: Callable[[PyTree], jax.Array]):
        self.residual = residual

    def jacobian(self, params: PyTree) -> tuple[jax.Array, jax.Array]:
        """r and its Jacobian J, shape (n, n_parameters), in the order of `ravel_pytree`."""
        flat, unravel = ravel_pytree(params)
        return self.residual(params), jax.jacrev(lambda w: self.residual(unravel(w)))(flat)

    def normal(self, params: PyTree) -> tuple[jax.Array, jax.Array, jax.Array]:
        """J^T J, J^T r and |r|^2."""
        residual, jacobian = self.jacobian(params)
        gram = _product(jacobian.T, jacobian)
        return gram, _product(jacobian.T, residual), jnp.sum(residual**2)

    def kernel(self, params: PyTree) -> tuple[jax.Array, jax.Array]:
        """J J^T and r."""
        residual, jacobian = self.jacobian(params)
        return _product(jacobian, jacobian.T), residual

    def products(self, params: PyTree) -> tuple[jax.Array, Callable, Callable]:
        """r, and the maps v -> J v and u -> J^T u of flat vectors."""
        flat, unravel = ravel_pytree(params)
        residual, jvp = jax.linearize(lambda w: self.residual(unravel(w)), flat)
        transpose = jax.linear_transpose(jvp, flat)
        return residual, jvp, lambda u: transpose(u)[0]


def gauss_newton(
    *,
    damping: float = 1e-2,
    factors: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0),
    increase: float = 10.0,
    smallest: float | None = None,
    space: str = "auto",
    max_bytes: int = 2**30,
    iterations: int = 300,
    tolerance: float = 1e-3,
) -> optax.GradientTransformationExtraArgs:
    """Levenberg-Marquardt steps for a loss |r|^2.

    Its `update` needs the extra argument `least_squares`, a `SumOfSquares` or anything with the
    methods `residual`, `normal`, `kernel` and `products`; `pinnkit.fit` passes one. The gradient
    itself is not used. A step that is not finite is never taken. The damping never exceeds ten
    times the trace of J^T J, where the step is a short gradient step: it comes back soon from a
    stall that new points end.

    Args:
        damping: mu at the start, relative to the mean of the diagonal of J^T J.
        factors: the values of mu that are tried, relative to the last one that was taken.
        increase: of mu when none of them lowers the loss.
        smallest: lower bound of mu, by default 50 times the rounding of the parameters' dtype.
        space: "parameters" factorizes J^T J, "residuals" J J^T; "matrix_free" multiplies the
            smaller of the two with vectors, in Lanczos' method; "auto" factorizes the smaller,
            or none that is larger than `max_bytes`.
        max_bytes: largest matrix that "auto" factorizes, which takes about three times as much
            memory, and largest basis of "matrix_free".
        iterations: products with the matrix in one step of "matrix_free", at most.
        tolerance: residual of its linear system at the smallest mu, relative to the right side.

    Returns:
        An optax transformation whose updates are to be added to the parameters as they are.

    Raises:
        ValueError: an argument is out of range.
    """
    smallest_is_valid = smallest is None or smallest > 0
    if not (damping > 0 and smallest_is_valid and increase > 1):
        raise ValueError(
            "damping and smallest must be positive and increase larger than 1, got "
            f"{damping!r}, {smallest!r} and {increase!r}"
        )
    if not factors or min(factors) <= 0:
        raise ValueError(f"factors must be positive numbers, got {factors!r}")
    if space not in SPACES:
        raise ValueError(f"unknown space {space!r}: expected one of {', '.join(SPACES)}")
    for name, value in (("max_bytes", max_bytes), ("iterations", iterations)):
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} must be a positive integer, got {value!r}")
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance must lie between 0 and 1, got {tolerance!r}")

    def init(params):
        dtype = ravel_pytree(params)[0].dtype
        return GaussNewtonState(jnp.asarray(damping, dtype), jnp.array(True))

    def update(updates, state, params=None, *, least_squares=None, **extra):
        del updates, extra
        if params is None or least_squares is None:
            raise ValueError(
                "gauss_newton needs the parameters and the residuals: call update(gradient, "
                "state, params, least_squares=SumOfSquares(residual))"
            )
        flat, unravel = ravel_pytree(params)
        least = 50 * jnp.finfo(flat.dtype).eps if smallest is None else smallest
        most = 10 * flat.size
        mus = jnp.clip(state.damping * jnp.asarray(factors, flat.dtype), least, most)
        form = _choose(space, max_bytes, params, least_squares)
        if form == "matrix_free":
            limit = min(iterations, max_bytes // (_side(params, least_squares) * flat.itemsize))
            value, solve = _matrix_free(params, least_squares, mus.min(), max(1, limit), tolerance)
        else:
            value, solve = {"parameters": _by_parameters, "residuals": _by_residuals}[form](
                params, least_squares
            )

        def attempt(mu):
            step = solve(mu)
            after = jnp.sum(least_squares.residual(unravel(flat + step)) ** 2)
            return step, jnp.where(jnp.isfinite(after), after, jnp.inf)

        steps, values = jax.lax.map(attempt, mus)
        best = jnp.argmin(values)
        accepted = values[best] < value
        mu = jnp.where(accepted, mus[best], jnp.clip(increase * mus.max(), max=most))
        step = jnp.where(accepted, steps[best], jnp.zeros_like(flat))
        return unravel(step), GaussNewtonState(mu, accepted)

    return optax.GradientTransformationExtraArgs(init, update)


def _choose(space: str, max_bytes: int, params: PyTree, least_squares) -> str:
    if space != "auto":
        return space
    flat = ravel_pytree(params)[0]
    side = _side(params, least_squares)
    if side**2 * flat.itemsize > max_bytes:
        return "matrix_free"
    return "parameters" if side == flat.size else "residuals"


def _side(params: PyTree, least_squares) -> int:
    """Number of parameters or of residuals, whichever is smaller."""
    n_residuals = jax.eval_shape(least_squares.residual, params).size
    return min(ravel_pytree(params)[0].size, n_residuals)


def _by_parameters(params, least_squares):
    """|r|^2, and a function from the relative damping to the step."""
    gram, right, value = least_squares.normal(params)
    unit = jnp.trace(gram) / len(gram)
    solve = cholesky(gram, right)
    return value, lambda mu: -solve(mu * unit)


def _by_residuals(params, least_squares):
    kernel, residual = least_squares.kernel(params)
    *_, vjp = least_squares.products(params)
    unit = jnp.trace(kernel) / ravel_pytree(params)[0].size
    solve = cholesky(kernel, residual)
    return jnp.sum(residual**2), lambda mu: -vjp(solve(mu * unit))


def _matrix_free(params, least_squares, smallest, iterations, tolerance):
    flat, _ = ravel_pytree(params)
    residual, jvp, vjp = least_squares.products(params)
    signs = jax.random.rademacher(jax.random.key(0), (PROBES, len(residual)), flat.dtype)
    trace = jnp.mean(jax.lax.map(lambda s: jnp.sum(vjp(s) ** 2), signs))  # Hutchinson's estimate
    unit = trace / flat.size
    options = {"iterations": iterations, "tolerance": tolerance}
    if len(residual) < flat.size:
        solve, _ = lanczos(lambda u: jvp(vjp(u)), residual, smallest * unit, **options)
        return jnp.sum(residual**2), lambda mu: -vjp(solve(mu * unit))
    solve, _ = lanczos(lambda v: vjp(jvp(v)), vjp(residual), smallest * unit, **options)
    return jnp.sum(residual**2), lambda mu: -solve(mu * unit)


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
