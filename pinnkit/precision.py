"""Floating-point precision as a scope instead of a global switch."""

from __future__ import annotations

from contextlib import AbstractContextManager

import jax
import jax.numpy as jnp


def precision(dtype) -> AbstractContextManager:
    """A scope in which JAX computes with the given precision.

    Args:
        dtype: "float32", "float64" or anything NumPy takes for them.
    """
    return jax.enable_x64(jnp.dtype(dtype) == jnp.float64)


def dtype_of(tree) -> jnp.dtype:
    """The widest floating-point dtype among the arrays of a pytree."""
    dtypes = [leaf.dtype for leaf in jax.tree.leaves(tree) if hasattr(leaf, "dtype")]
    floats = [d for d in dtypes if jnp.issubdtype(d, jnp.floating)]
    if not floats:
        raise ValueError("the network has no floating-point parameters to train")
    return jnp.dtype(max(floats, key=lambda d: jnp.dtype(d).itemsize))
