"""Gauss-Newton with Levenberg-Marquardt damping, as an optax transformation.

A loss that is a sum of squares, L = |r(w)|^2, has near its minimum the Hessian 2 J^T J, J the
Jacobian of the residual vector r. The damped step

    d = - (J^T J + mu I)^-1 J^T r  =  - J^T (J J^T + mu I)^-1 r

(Levenberg 1944; Marquardt 1963, J. SIAM 11, 431) is solved for in the space of the parameters or,
where there are fewer residuals, in that of the residuals: the second form, by Woodbury's identity,
is the kernel form of natural gradients (arXiv 2505.21404). One Jacobian serves several values of
mu, which cost little beside it; the step that lowers the loss most is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jax.scipy.linalg import cho_factor, cho_solve

PyTree = Any
SPACES = ("auto", "parameters", "residuals")


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
        """r and its Jacobian, shape (n, n_parameters), in the order of `ravel_pytree`."""
        flat, unravel = ravel_pytree(params)
        return self.residual(params), jax.jacrev(lambda w: self.residual(unravel(w)))(flat)

    def normal(self, params: PyTree) -> tuple[jax.Array, jax.Array]:
        """J^T J and J^T r."""
        residual, jacobian = self.jacobian(params)
        return _product(jacobian.T, jacobian), _product(jacobian.T, residual)


def gauss_newton(
    *,
    damping: float = 1e-2,
    factors: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0),
    increase: float = 10.0,
    smallest: float = 1e-14,
    space: str = "auto",
) -> optax.GradientTransformationExtraArgs:
    """Levenberg-Marquardt steps for a loss |r|^2.

    Its `update` needs the extra argument `least_squares`, a `SumOfSquares` or anything with the
    same three methods; `pinnkit.fit` passes one. The gradient itself is not used.

    Args:
        damping: mu at the start, relative to the mean of the diagonal of J^T J.
        factors: the values of mu that are tried, relative to the last one that was taken.
        increase: of mu when none of them lowers the loss.
        smallest: lower bound of mu; about the rounding of the precision in use.
        space: "parameters" factorizes J^T J, "residuals" J J^T, "auto" the smaller of the two.

    Returns:
        An optax transformation whose updates are to be added to the parameters as they are.

    Raises:
        ValueError: an argument is out of range.
    """
    if not (damping > 0 and smallest > 0 and increase > 1):
        raise ValueError(
            "damping and smallest must be positive and increase larger than 1, got "
            f"{damping!r}, {smallest!r} and {increase!r}"
        )
    if not factors or min(factors) <= 0:
        raise ValueError(f"factors must be positive numbers, got {factors!r}")
    if space not in SPACES:
        raise ValueError(f"unknown space {space!r}: expected one of {', '.join(SPACES)}")

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
        solve = _linear_solver(space, params, least_squares)
        value = jnp.sum(least_squares.residual(params) ** 2)

        def attempt(factor):
            mu = jnp.clip(state.damping * factor, smallest, 1 / smallest)
            step = solve(mu)
            after = jnp.sum(least_squares.residual(unravel(flat + step)) ** 2)
            return mu, step, jnp.where(jnp.isfinite(after), after, jnp.inf)

        mus, steps, values = jax.lax.map(attempt, jnp.asarray(factors, flat.dtype))
        best = jnp.argmin(values)
        accepted = values[best] < value
        mu = jnp.where(accepted, mus[best], jnp.clip(increase * mus.max(), max=1 / smallest))
        step = jnp.where(accepted, steps[best], jnp.zeros_like(flat))
        return unravel(step), GaussNewtonState(mu, accepted)

    return optax.GradientTransformationExtraArgs(init, update)


def _linear_solver(space: str, params: PyTree, least_squares) -> Callable:
    """A function from the damping to the step."""
    n_parameters = ravel_pytree(params)[0].size
    n_residuals = jax.eval_shape(least_squares.residual, params).size
    if space == "residuals" or (space == "auto" and n_residuals < n_parameters):
        residual, jacobian = least_squares.jacobian(params)
        gram = _product(jacobian, jacobian.T)
        unit = jnp.trace(gram) / n_parameters
        return lambda mu: -_product(jacobian.T, _solve_damped(gram, mu * unit, residual))
    gram, right = least_squares.normal(params)
    unit = jnp.trace(gram) / n_parameters
    return lambda mu: -_solve_damped(gram, mu * unit, right)


def _solve_damped(gram: jax.Array, shift: jax.Array, right: jax.Array) -> jax.Array:
    damped = gram + shift * jnp.eye(len(gram), dtype=gram.dtype)
    return cho_solve(cho_factor(damped), right)


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
