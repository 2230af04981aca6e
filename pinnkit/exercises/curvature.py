"""Exercises of notebook 07: products with a Hessian and with its Gauss-Newton part."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from pinnkit.exercises._exercise import Exercise, compare

W, V = jnp.asarray([0.5, -1.0]), jnp.asarray([1.0, 2.0])


def _residual(w):
    return jnp.stack([w[0] ** 2 - w[1], jnp.sin(w[1]) * w[0], 2.0 * w[0] + w[1]])


def _loss(w):
    return jnp.sum(_residual(w) ** 2)


def _check_hessian(product) -> str:
    H = np.asarray(jax.hessian(_loss)(W))
    g = np.asarray(jax.grad(_loss)(W))
    return compare(
        product(_loss, W, V),
        H @ np.asarray(V),
        {
            "This is the product of the gradient with v: differentiate the gradient along v.": (
                g @ np.asarray(V)
            ),
            "This is the gradient: differentiate it once more, along v.": g,
            "This is v^T H v, a number: the product H v has one entry for each parameter.": (
                np.asarray(V) @ H @ np.asarray(V)
            ),
            "This is the Hessian itself: multiply it with v, or better, never build it.": H,
            "You multiplied with the Gauss-Newton part only.": np.asarray(
                2 * jax.jacobian(_residual)(W).T @ jax.jacobian(_residual)(W) @ V
            ),
        },
        f"At w = {W.tolist()} with v = {V.tolist()} the product is "
        f"{(H @ np.asarray(V)).round(3).tolist()}",
    )


def _check_gauss_newton(product) -> str:
    J = np.asarray(jax.jacobian(_residual)(W))
    v = np.asarray(V)
    right = 2 * J.T @ J @ v
    return compare(
        product(_residual, W, V),
        right,
        {
            "The factor 2 is missing: the loss is |r|^2, not half of it.": right / 2,
            "This is J v, one number for each residual: go back to the parameters with J^T.": J @ v,
            "This is the whole Hessian's product.": np.asarray(jax.hessian(_loss)(W)) @ v,
            "This is 2 J^T r, the gradient: v is not in it.": np.asarray(jax.grad(_loss)(W)),
        },
        f"At w = {W.tolist()} with v = {V.tolist()} the product is {right.round(3).tolist()}",
    )


product_with_hessian = Exercise(
    "a product with the Hessian",
    (
        "The gradient is a function of w. How does it change along v?",
        "jax.jvp(function, (w,), (v,)) returns the function's value and its derivative along v.",
        "jax.jvp(jax.grad(loss), (w,), (v,))[1]",
    ),
    _check_hessian,
    "Forward over reverse: about the price of two gradients, whatever the number of parameters.",
)

product_with_gauss_newton = Exercise(
    "a product with the Gauss-Newton matrix",
    (
        "2 J^T (J v): two products, from right to left.",
        "J v is the derivative of the residual along v: jax.jvp. J^T u is jax.vjp.",
        "_, transpose = jax.vjp(residual, w); return 2 * transpose(Jv)[0]",
    ),
    _check_gauss_newton,
    "This is what a matrix-free Gauss-Newton step multiplies with, again and again.",
)
