"""Input embeddings: what a network sees of a point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx


class Fixed(nnx.Variable):
    """An array that belongs to a network but is not trained."""


class CoordinateEmbedding(nnx.Module):
    """Scales every coordinate to [-1, 1]; periodic ones become sines and cosines.

    A periodic coordinate of period L is replaced by cos(2 pi k x / L), sin(2 pi k x / L) for
    k = 1 .. harmonics, so that every network on top of it, with all its derivatives, is exactly
    periodic (Dong and Ni 2021, J. Comput. Phys. 435, 110242).

    Args:
        domain: interval of each coordinate, in the order of a point's entries.
        periodic: names of the periodic coordinates.
        harmonics: number of frequencies per periodic coordinate, >= 1.

    Raises:
        ValueError: harmonics is no such number, or a point of another shape is given.
    """

    def __init__(
        self,
        domain: Mapping[str, tuple[float, float]],
        periodic: Sequence[str] = (),
        harmonics: int = 1,
    ):
        if isinstance(harmonics, bool) or not isinstance(harmonics, Integral) or harmonics < 1:
            raise ValueError(f"harmonics must be an integer >= 1, got {harmonics!r}")
        self.coordinates = tuple(domain)
        self.intervals = tuple(
            (low, high, name in periodic) for name, (low, high) in domain.items()
        )
        self.harmonics = harmonics
        self.size = sum(2 * harmonics if cyclic else 1 for _, _, cyclic in self.intervals)

    def __call__(self, point: jax.Array) -> jax.Array:
        if jnp.shape(point) != (len(self.intervals),):
            raise ValueError(
                f"a network of {self.coordinates} takes one point of shape "
                f"({len(self.intervals)},), got {jnp.shape(point)}: batch with jax.vmap(network)"
            )
        features = []
        for x, (low, high, cyclic) in zip(point, self.intervals, strict=True):
            if cyclic:
                k = jnp.arange(1, self.harmonics + 1, dtype=point.dtype)
                phase = x * (k * (2 * np.pi / (high - low)))
                features += [jnp.cos(phase), jnp.sin(phase)]
            else:
                features += [jnp.reshape((2 * x - (low + high)) / (high - low), (1,))]
        return jnp.concatenate(features)


class RandomFourierFeatures(nnx.Module):
    """cos(B e), sin(B e) with B fixed and normally distributed (Tancik et al. 2020, 2006.10739).

    Args:
        embedding: the embedding e that is lifted.
        size: number of features, even.
        scale: standard deviation of the entries of B; larger favours higher frequencies.
        rngs: source of randomness, stream "params".
    """

    def __init__(
        self, embedding: CoordinateEmbedding, size: int, scale: float, *, rngs, dtype=jnp.float32
    ):
        if size < 2 or size % 2:
            raise ValueError(f"the number of Fourier features must be even and > 0, got {size}")
        if not scale > 0:
            raise ValueError(f"the scale of Fourier features must be positive, got {scale}")
        self.embedding = embedding
        shape = (embedding.size, size // 2)
        self.frequencies = Fixed(scale * jax.random.normal(rngs.params(), shape, dtype))
        self.size = size

    def __call__(self, point: jax.Array) -> jax.Array:
        phase = self.embedding(point) @ self.frequencies[...]
        return jnp.concatenate([jnp.cos(phase), jnp.sin(phase)])
