"""Exercises of notebook 01: a residual, and an initial condition that cannot be violated."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from pinnkit.exercises._exercise import Exercise

SPEED, DIFFUSIVITY = 2.0, 0.1
T, X = 0.3, 0.7


def _trial(t, x):
    return jnp.exp(-t) * jnp.sin(2 * x) + t * x**2


def _close(a, b) -> bool:
    return bool(np.allclose(a, b, rtol=1e-3, atol=1e-4))


def _check_residual(residual) -> str:
    t, x = jnp.asarray(T), jnp.asarray(X)
    u_t, u_x = jax.grad(_trial, 0)(t, x), jax.grad(_trial, 1)(t, x)
    u_xx = jax.grad(jax.grad(_trial, 1), 1)(t, x)
    right = u_t + SPEED * u_x - DIFFUSIVITY * u_xx
    got = residual(_trial, t, x)
    if got is None:
        return "The function returns nothing: does it end with `return`?"
    if jnp.shape(got) != ():
        return f"One point has one residual, a scalar, but you return shape {jnp.shape(got)}."
    mistakes = {
        "The sign of the diffusion term is wrong: move everything to one side, so that the "
        "residual is u_t + c u_x - k u_xx.": u_t + SPEED * u_x + DIFFUSIVITY * u_xx,
        "The sign of the advection term is wrong.": u_t - SPEED * u_x - DIFFUSIVITY * u_xx,
        "The factor k of the second derivative is missing.": u_t + SPEED * u_x - u_xx,
        "The factor c of the first derivative is missing.": u_t + u_x - DIFFUSIVITY * u_xx,
        "You took the diffusion along t: differentiate twice with respect to the second "
        "argument, argnums=1.": u_t
        + SPEED * u_x
        - DIFFUSIVITY * jax.grad(jax.grad(_trial, 0), 0)(t, x),
        "The derivative in the diffusion term is of first order: apply jax.grad twice.": u_t
        + SPEED * u_x
        - DIFFUSIVITY * u_x,
        "u_t and u_x are exchanged: argnums=0 is t, argnums=1 is x.": u_x
        + SPEED * u_t
        - DIFFUSIVITY * u_xx,
        "You multiply u_x by u: in this equation the speed is the constant c.": u_t
        + _trial(t, x) * u_x
        - DIFFUSIVITY * u_xx,
    }
    if _close(got, right):
        return ""
    for message, value in mistakes.items():
        if _close(got, value):
            return message
    return (
        f"At t = {T}, x = {X} the residual of exp(-t) sin(2x) + t x^2 is {float(right):.4f}, but "
        f"yours is {float(got):.4f}."
    )


def _check_hard(hard) -> str:
    x = jnp.linspace(-1.0, 1.0, 21)
    start = -jnp.sin(jnp.pi * x)

    def wave(t, x):
        return 1.5 + 0.5 * jnp.cos(3 * x + t)

    def at(time, network):
        return jnp.stack([jnp.asarray(hard(network, jnp.asarray(time), p)) for p in x])

    initial = at(0.0, wave)
    if initial.shape != x.shape:
        return f"At one point the answer must be a scalar, got shape {initial.shape[1:]}."
    if not _close(initial, start):
        if _close(initial, -start):
            return "The sign of the initial state is wrong: u(0, x) = -sin(pi x)."
        if _close(initial, start + wave(0.0, x)):
            return (
                "At t = 0 the network is still there: multiply it by something that vanishes at t "
                "= 0."
            )
        if _close(initial, wave(0.0, x)):
            return "At t = 0 only the network is left: which factor vanishes there?"
        if _close(initial, 0 * x):
            return "At t = 0 everything vanishes: the initial state must not be multiplied by t."
        if _close(initial, -jnp.sin(x)):
            return "The initial state has the argument pi x, not x."
        return "At t = 0 the result is not -sin(pi x)."
    if _close(at(0.5, wave), at(0.5, lambda t, x: 0.0)):
        return "For t > 0 the network has no influence: nothing is left to be trained."
    slope = jax.grad(lambda t: jnp.asarray(hard(wave, t, jnp.asarray(0.25))))(0.0)
    if abs(float(slope)) < 1e-3:
        return (
            "At t = 0 the time derivative is zero whatever the network does, because the factor "
            "vanishes to second order: then u_t(0, x) is fixed too. Use the first power of t."
        )
    return ""


advection_diffusion = Exercise(
    "the residual of advection and diffusion",
    (
        "Write every derivative as in `burgers_residual`: u_x = jax.grad(u, argnums=1).",
        "A second derivative is a derivative of a derivative: jax.grad(jax.grad(u, 1), 1).",
        "Move all terms to one side. The residual of u_t + c u_x = k u_xx is the left side minus "
        "the right side, evaluated at (t, x).",
    ),
    _check_residual,
    "Any equation you can write with derivatives becomes a loss in this way.",
)

hard_initial_condition = Exercise(
    "an initial condition that holds by construction",
    (
        "Start from the initial state, -sin(pi x), and add something that is zero at t = 0.",
        "The network must stay free for t > 0, so multiply it by a function of t alone.",
        "u(t, x) = -sin(pi x) + t N(t, x).",
    ),
    _check_hard,
    "The initial term of the loss is gone, and with it one source of conflict between gradients.",
)
