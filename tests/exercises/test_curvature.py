"""Stubs fail, solutions pass, and plausible mistakes are told apart."""

import re

import jax
import jax.numpy as jnp
import pytest

from pinnkit import exercises


def product(loss, w, v):
    return jax.jvp(jax.grad(loss), (w,), (v,))[1]


def along(residual, w, v):
    return jax.jvp(residual, (w,), (v,))[1]


def back(residual, w, u):
    return jax.vjp(residual, w)[1](u)[0]


def squares(residual):
    return lambda w: jnp.sum(residual(w) ** 2)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (product, ""),
        (lambda f, w, v: jax.hessian(f)(w) @ v, ""),
        (lambda f, w, v: jax.grad(f)(w) @ v, "gradient with v"),
        (lambda f, w, v: jax.grad(f)(w), "once more"),
        (lambda f, w, v: v @ product(f, w, v), "a number"),
        (lambda f, w, v: jax.hessian(f)(w), "never build it"),
        (lambda f, w, v: 0 * v, "but yours is"),
        (lambda f, w, v: None, "returns nothing"),
    ],
)
def test_product_with_hessian(answer, message):
    said = exercises.product_with_hessian.problem_with(answer)
    assert bool(said) == bool(message) and re.search(message, said)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda r, w, v: 2 * back(r, w, along(r, w, v)), ""),
        (lambda r, w, v: back(r, w, along(r, w, v)), "factor 2"),
        (along, "one number for each residual"),
        (lambda r, w, v: product(squares(r), w, v), "whole Hessian"),
        (lambda r, w, v: 2 * back(r, w, r(w)), "v is not in it"),
        (lambda r, w, v: 0 * v, "but yours is"),
    ],
)
def test_product_with_gauss_newton(answer, message):
    said = exercises.product_with_gauss_newton.problem_with(answer)
    assert bool(said) == bool(message) and re.search(message, said)
