"""Sine and cosine together, in double precision as fast as other elementary functions.

XLA hands sines in double precision to the C library one by one on a CPU, which is ten times slower
than an exponential. What is here is arithmetic that vectorizes.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import lax

# pi / 2 in three parts: q times each of the first two is exact for |q| < 2^20
_HALF_PI = (
    float.fromhex("0x1.921fb544p+0"),
    float.fromhex("0x1.0b4611a6p-34"),
    float.fromhex("0x1.3198a2e037073p-69"),
)


@jax.custom_jvp
def sine_and_cosine(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """sin x and cos x, of x's shape; single precision is left to `jax.lax`.

    The error is below 2e-16 + 2e-16 |x|: no more than what the rounding of x makes of it.
    """
    if jnp.result_type(x) != jnp.float64:
        return lax.sin(x), lax.cos(x)
    # Cody and Waite's reduction to |r| <= pi / 4, then the Taylor polynomials
    q = jnp.round(x * (2 / math.pi))
    r = ((x - q * _HALF_PI[0]) - q * _HALF_PI[1]) - q * _HALF_PI[2]
    sine, cosine = _polynomial(r, odd=True), _polynomial(r, odd=False)
    quadrant = q - 4 * jnp.floor(q / 4)
    swapped = (quadrant == 1) | (quadrant == 3)
    s, c = jnp.where(swapped, cosine, sine), jnp.where(swapped, sine, cosine)
    left = (quadrant == 1) | (quadrant == 2)
    return jnp.where(quadrant >= 2, -s, s), jnp.where(left, -c, c)


def _polynomial(r: jax.Array, odd: bool) -> jax.Array:
    """Of sin r or cos r up to r^17, by Horner: beyond it is less than 1e-18."""
    square = r * r
    powers = range(17 if odd else 16, -1, -2)
    coefficients = [(-1) ** (n // 2) / math.factorial(n) for n in powers]
    total = jnp.full_like(r, coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * square + coefficient
    return total * r if odd else total


@sine_and_cosine.defjvp
def _derivative(primals, tangents):
    s, c = sine_and_cosine(*primals)
    (dx,) = tangents
    return (s, c), (c * dx, -s * dx)
