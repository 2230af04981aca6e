"""Floating-point precision as a scope instead of a global switch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp

from pinnkit.interpreter import called, carried_out, interpret


@contextlib.contextmanager
def precision(dtype) -> Iterator[None]:
    """A scope in which JAX computes with the given precision.

    Also on GPUs, which by default round the factors of a float32 product to 10 bits (TF32): too
    few for second derivatives of a residual that is to vanish. Who wants them sets
    `jax.config.update("jax_default_matmul_precision", "tensorfloat32")`.

    Args:
        dtype: "float32", "float64" or anything NumPy takes for them.
    """
    products = jax.config.jax_default_matmul_precision or "highest"
    with (
        jax.enable_x64(jnp.dtype(dtype) == jnp.float64),
        jax.default_matmul_precision(products),
    ):
        yield


def dtype_of(tree) -> jnp.dtype:
    """The widest floating-point dtype among the arrays of a pytree."""
    dtypes = [leaf.dtype for leaf in jax.tree.leaves(tree) if hasattr(leaf, "dtype")]
    floats = [d for d in dtypes if jnp.issubdtype(d, jnp.floating)]
    if not floats:
        raise ValueError("the network has no floating-point parameters to train")
    return jnp.dtype(max(floats, key=lambda d: jnp.dtype(d).itemsize))


def rounded_products(function: Callable[..., jax.Array], bits: int) -> Callable[..., jax.Array]:
    """What a function would return if matrix products rounded their factors, as on tensor cores.

    Sums and everything else keep their precision. Loops and branches inside the function are left
    as they are.

    Args:
        function: of pytrees of arrays; returns one array.
        bits: of the mantissa of each factor: 10 in TensorFloat-32, 7 in bfloat16. The exponent has
            8 bits in both.
    """

    def apply(equation, inputs):
        if inner := called(equation):
            return interpret(*inner, inputs, apply)
        if equation.primitive.name == "dot_general":
            inputs = [jax.lax.reduce_precision(x, 8, bits) for x in inputs]
        return carried_out(equation, inputs)

    def rounded(*inputs):
        closed = jax.make_jaxpr(function)(*inputs)
        (result,) = interpret(closed.jaxpr, closed.consts, jax.tree.leaves(inputs), apply)
        return result

    return rounded
