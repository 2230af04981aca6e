"""The Hessian as a linear map, and its Gauss-Newton part.

For a loss |r(w)|^2 with the Jacobian J of r,

    H = 2 J^T J + 2 sum_i r_i Hess(r_i);

the first part is positive semidefinite, the second vanishes with the residual. Both products cost
a few gradients (Pearlmutter 1994, Neural Computation 6, 147; Schraudolph 2002, ibid. 14, 1723).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

PyTree = Any
LinearMap = Callable[[PyTree], PyTree]


def hessian_product(loss: Callable[[PyTree], jax.Array], params: PyTree) -> LinearMap:
    """The map v -> H v, H the Hessian of a scalar loss at `params`.

    Args:
        loss: maps parameters to a scalar.
        params: a pytree of floats.

    Returns:
        A linear, symmetric function of a pytree like `params` that may be jitted and mapped.

    Raises:
        TypeError: the loss is no scalar.
    """
    _check_shape(loss, params, (), "a loss must return a scalar")
    gradient = jax.grad(loss)
    return lambda vector: jax.jvp(gradient, (params,), (vector,))[1]


def gauss_newton_product(residual: Callable[[PyTree], jax.Array], params: PyTree) -> LinearMap:
    """The map v -> 2 J^T J v, the Gauss-Newton part of the Hessian of the loss |r|^2.

    Args:
        residual: maps parameters to r, an array of any shape.
        params: a pytree of floats.

    Returns:
        A linear, symmetric, positive semidefinite function of a pytree like `params`.

    Raises:
        TypeError: the residual is no array.
    """
    _check_shape(residual, params, None, "a residual must return one array")

    def product(vector):
        _, tangent = jax.jvp(residual, (params,), (vector,))
        _, pullback = jax.vjp(residual, params)
        return pullback(2 * tangent)[0]

    return product


def _check_shape(function, params, shape, what: str) -> None:
    out = jax.eval_shape(function, params)
    if not isinstance(out, jax.ShapeDtypeStruct) or shape not in (None, out.shape):
        got = f"shape {out.shape}" if isinstance(out, jax.ShapeDtypeStruct) else f"{out!r}"
        raise TypeError(f"{what}, got {got}")
