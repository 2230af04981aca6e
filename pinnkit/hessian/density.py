"""Density of a spectrum by stochastic Lanczos quadrature.

For a random vector z with E[z z^T] = I the eigenpairs (theta_i, s_i) of its tridiagonal matrix
are a Gauss rule, z^T f(A) z / n ~ sum_i (s_i)_1^2 f(theta_i), exact for polynomials up to degree
2 k - 1; its mean over several z approximates tr f(A) / n (Lin, Saad and Yang 2016, SIAM Review
58, 34; Ghorbani, Krishnan and Xiao 2019, arXiv 1901.10159).
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from pinnkit.hessian.lanczos import check_steps, flatten, lanczos_from

PyTree = Any


class SpectralDensity(NamedTuple):
    """Where the eigenvalues of a symmetric map lie.

    A histogram on any scale is `numpy.histogram(nodes.ravel(), bins, weights=weights.ravel())`
    divided by the number of probes: the share of the eigenvalues in each bin.

    Attributes:
        nodes: shape (probes, steps).
        weights: shares of the spectrum, shape (probes, steps); they add up to 1 for each probe.
        dimension: n, the number of eigenvalues.
    """

    nodes: jax.Array
    weights: jax.Array
    dimension: int

    def trace(self, function: Callable = lambda x: x) -> tuple[jax.Array, jax.Array]:
        """tr f(A) and its standard error over the probes.

        Args:
            function: f, applied to arrays of eigenvalues; the identity gives the trace of A,
                `jnp.square` its squared Frobenius norm.
        """
        each = self.dimension * jnp.sum(self.weights * function(self.nodes), axis=1)
        return jnp.mean(each), jnp.std(each, ddof=1) / len(each) ** 0.5

    def smooth(self, grid: jax.Array, *, width: float, linear: float | None = None) -> jax.Array:
        """The density, each node widened to a Gaussian.

        Args:
            grid: eigenvalues, shape (m,).
            width: standard deviation of the Gaussian, in units of u.
            linear: None for u = eigenvalue; otherwise u = asinh(eigenvalue / linear), which is
                linear up to about `linear` and logarithmic beyond, for both signs: a step of
                log(10) is a decade.

        Returns:
            Share of the eigenvalues per unit of u, shape (m,).

        Raises:
            ValueError: width or linear is not positive.
        """
        for name, value in (("width", width), ("linear", linear)):
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be positive, got {value!r}")

        def scaled(x):
            return x if linear is None else jnp.arcsinh(x / linear)

        away = (scaled(jnp.asarray(grid))[:, None] - scaled(self.nodes).reshape(1, -1)) / width
        bells = jnp.exp(-(away**2) / 2) / (width * (2 * jnp.pi) ** 0.5)
        return jnp.sum(self.weights.reshape(1, -1) * bells, axis=1) / len(self.weights)


def spectral_density(
    product: Callable[[PyTree], PyTree],
    example: PyTree,
    *,
    probes: int = 10,
    steps: int,
    key: jax.Array,
) -> SpectralDensity:
    """Nodes and weights of the spectral density of a symmetric map.

    Large eigenvalues that stand apart become nodes of their own; a crowd of small ones is seen as
    a few nodes, so that the signs of those very near zero mean little.

    Args:
        product: a linear, symmetric map of pytrees like `example`.
        example: sets structure, shapes and dtype, for example the parameters.
        probes: number of random sign vectors z, at least 2; the error falls with its root.
        steps: of Lanczos' method for each; `probes * steps` products in all.
        key: of the probes.

    Raises:
        ValueError: probes or steps is out of range.
        TypeError: the example is no pytree of floats of one dtype.
    """
    if isinstance(probes, bool) or not isinstance(probes, Integral) or probes < 2:
        raise ValueError(f"probes must be an integer >= 2, got {probes!r}")
    flat, apply = flatten(product, example)
    check_steps(steps, flat.size)

    def quadrature(key):
        probe_key, key = jax.random.split(key)
        start = jax.random.rademacher(probe_key, flat.shape, flat.dtype)
        nodes, s = jnp.linalg.eigh(lanczos_from(apply, start, steps, key).tridiagonal())
        return nodes, s[0] ** 2

    nodes, weights = jax.lax.map(quadrature, jax.random.split(key, probes))
    return SpectralDensity(nodes, weights, flat.size)
