"""Symmetric matrices with known eigenvalues, as maps of a pytree."""

import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

RNG = np.random.default_rng(0)


def example(n, dtype="float64"):
    """A pytree of n zeros."""
    return {"a": jnp.zeros((2, 2), dtype), "b": jnp.zeros(n - 4, dtype)}


def orthogonal(n):
    return np.linalg.qr(RNG.normal(size=(n, n)))[0]


def symmetric(eigenvalues):
    q = orthogonal(len(eigenvalues))
    return (q * eigenvalues) @ q.T


def as_map(matrix):
    """The matrix as a linear map of pytrees, in their dtype."""

    def product(tree):
        flat, unravel = ravel_pytree(tree)
        return unravel(jnp.asarray(matrix, flat.dtype) @ flat)

    return product
