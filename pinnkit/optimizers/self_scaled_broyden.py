"""Self-scaled Broyden: a dense quasi-Newton method for networks of a few thousand parameters.

With the step s, the change y of the gradient along it, the inverse Hessian estimate H and B = H^-1,

    H <- (H - H y y^T H / (y^T H y) + phi (y^T H y) v v^T) / tau + s s^T / (y^T s),
    v = s / (y^T s) - H y / (y^T H y),    phi = (1 - theta) / (1 + a theta),

is Broyden's family: theta = 0, tau = 1 is BFGS. Here theta and the scaling tau <= 1 are those of
Al-Baali (1998, Comput. Optim. Appl. 9, 191), with h = y^T H y / y^T s, b = s^T B s / y^T s and
a = b h - 1. For physics-informed networks: Urban, Stefanou and Pons 2025, J. Comput. Phys. 523,
113656 (arXiv 2405.04230); Kiyani et al. 2025 (arXiv 2501.16371).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

PyTree = Any


class SelfScaledBroydenState(NamedTuple):
    """State of `self_scaled_broyden`.

    Attributes:
        inverse_hessian: H, shape (n_parameters, n_parameters).
        count: steps taken.
        line_search: state of optax's zoom line search.
    """

    inverse_hessian: jax.Array
    count: jax.Array
    line_search: Any


def self_scaled_broyden(*, max_linesearch_steps: int = 20) -> optax.GradientTransformationExtraArgs:
    """Self-scaled Broyden steps with a line search for the strong Wolfe conditions.

    Its `update` needs the extra arguments `value`, `grad` and `value_fn`, as `optax.lbfgs` does;
    `pinnkit.fit` passes them. Step and curvature are measured on the same `value_fn`, so the
    points of a loss may change between steps; hold them for some hundred steps all the same. Use
    double precision: the curvature is a difference of gradients.

    Args:
        max_linesearch_steps: evaluations of value and gradient that one step may take.

    Returns:
        An optax transformation whose updates are to be added to the parameters as they are.
    """
    search = optax.scale_by_zoom_linesearch(
        max_linesearch_steps=max_linesearch_steps, initial_guess_strategy="one"
    )

    def init(params):
        flat, _ = ravel_pytree(params)
        return SelfScaledBroydenState(
            jnp.eye(flat.size, dtype=flat.dtype), jnp.zeros((), jnp.int32), search.init(params)
        )

    def update(updates, state, params=None, *, value=None, grad=None, value_fn=None, **extra):
        del updates, extra
        if params is None or value_fn is None or grad is None:
            raise ValueError(
                "self_scaled_broyden needs parameters and loss: call update(gradient, state, "
                "params, value=..., grad=gradient, value_fn=...)"
            )
        gradient, unravel = ravel_pytree(grad)
        direction = -_product(state.inverse_hessian, gradient)
        uphill = ~(jnp.vdot(direction, gradient) < 0)
        unscaled = (state.count == 0) | uphill
        # a gradient says nothing about the length of a step: the first one is at most 1 long
        shortened = -gradient / jnp.maximum(1, jnp.linalg.norm(gradient))
        direction = jnp.where(unscaled, shortened, direction)
        step, line_search = search.update(
            unravel(direction),
            state.line_search,
            params,
            value=value,
            grad=grad,
            value_fn=lambda p: value_fn(p),
        )
        s = ravel_pytree(step)[0]
        y = ravel_pytree(line_search.grad)[0] - gradient
        # where the direction was -H g, B s is a multiple of the gradient
        length = jnp.vdot(s, direction) / jnp.vdot(direction, direction)
        hessian_s = jnp.where(unscaled, s, -length * gradient)
        following = broyden_update(state.inverse_hessian, s, y, hessian_s, unscaled, uphill)
        return step, SelfScaledBroydenState(following, state.count + 1, line_search)

    return optax.GradientTransformationExtraArgs(init, update)


def broyden_update(
    inverse_hessian: jax.Array,
    s: jax.Array,
    y: jax.Array,
    hessian_s: jax.Array,
    first: jax.Array,
    reset: jax.Array | bool = False,
) -> jax.Array:
    """The inverse Hessian estimate after a step.

    Args:
        inverse_hessian: H before it, symmetric and positive definite, shape (n, n).
        s: the step, shape (n,).
        y: the change of the gradient along it.
        hessian_s: H^-1 s.
        first: whether H is the identity, which is then scaled to the curvature found.
        reset: whether to put the identity in the place of H before.

    Returns:
        The new H, which maps y to s; the old one where y^T s is not positive or not finite.
    """
    curvature = jnp.vdot(y, s)
    hessian_y = jnp.where(reset, y, _product(inverse_hessian, y))
    y_h_y = jnp.vdot(y, hessian_y)
    h, b = y_h_y / curvature, jnp.vdot(s, hessian_s) / curvature
    a = jnp.maximum(b * h - 1, jnp.finfo(s.dtype).eps)  # >= 0 by Cauchy and Schwarz
    smallest = jnp.minimum(1.0, h * (1 - jnp.sqrt(a / (1 + a))))
    theta = jnp.clip((1 - b) / b, (smallest - 1) / a, 1 / smallest)
    sigma = 1 + theta * a
    spread = sigma ** (1 / (1 - s.size)) if s.size > 1 else 1.0
    least = jnp.minimum(1.0, 1 / b)
    tau = jnp.where(
        theta <= 0, jnp.minimum(least * spread, sigma), least * jnp.minimum(spread, 1 / theta)
    )
    tau = jnp.where(first, h / sigma, tau)
    v = s / curvature - hessian_y / y_h_y
    phi = (1 - theta) / sigma
    finite = jnp.isfinite(jnp.stack([tau, phi, curvature, jnp.vdot(v, v)])).all()
    usable = finite & (curvature > 0) & (y_h_y > 0) & (tau > 0)

    # one pass over the matrix, whose size decides the time of a step
    factors = jnp.stack([1 / tau, -1 / (tau * y_h_y), phi * y_h_y / tau, 1 / curvature])
    keep, from_hy, from_v, from_s = jnp.where(usable, factors, jnp.asarray([1, 0, 0, 0], s.dtype))
    hy, v, s = (jnp.where(usable, x, 0) for x in (hessian_y, v, s))
    base = jnp.where(reset, jnp.eye(s.size, dtype=s.dtype), inverse_hessian)
    return (
        keep * base
        + from_hy * jnp.outer(hy, hy)
        + from_v * jnp.outer(v, v)
        + from_s * jnp.outer(s, s)
    )


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
