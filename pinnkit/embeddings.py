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
    periodic (Dong and Ni 2021, J. Comput. Phys. 435, 110242). Another coordinate can be given
    waves beside itself: of period 2 L on an interval of length L, as in a Fourier series there.
    With a decay p the wave of number k is multiplied by k^-p: the network begins as a smooth
    function, and long waves are learned first, however many short ones there are.

    Args:
        domain: interval of each coordinate, in the order of a point's entries.
        periodic: names of the periodic coordinates.
        harmonics: number of frequencies per periodic coordinate, >= 1, or numbers by coordinate;
            those not named have 1 if they are periodic and 0 if not.
        decay: p >= 0; 0 for waves of equal size.

    Raises:
        ValueError: harmonics or decay is no such number, names no coordinate, or a point of
            another shape is given.
    """

    def __init__(
        self,
        domain: Mapping[str, tuple[float, float]],
        periodic: Sequence[str] = (),
        harmonics: int | Mapping[str, int] = 1,
        decay: float = 0.0,
    ):
        if not (np.isfinite(decay) and decay >= 0):
            raise ValueError(f"the decay of the harmonics must be >= 0 and finite, got {decay}")
        numbers = harmonics_by_coordinate(harmonics, tuple(domain), periodic)
        self.coordinates = tuple(domain)
        self.intervals = tuple(
            (low, high, name in periodic) for name, (low, high) in domain.items()
        )
        self.harmonics = tuple(numbers.values())
        self.decay = float(decay)
        self.size = sum(2 * n for n in self.harmonics) + sum(
            not cyclic for _, _, cyclic in self.intervals
        )

    def __call__(self, point: jax.Array) -> jax.Array:
        if jnp.shape(point) != (len(self.intervals),):
            raise ValueError(
                f"a network of {self.coordinates} takes one point of shape "
                f"({len(self.intervals)},), got {jnp.shape(point)}: batch with jax.vmap(network)"
            )
        features = []
        for x, n, (low, high, cyclic) in zip(point, self.harmonics, self.intervals, strict=True):
            if not cyclic:
                features += [jnp.reshape((2 * x - (low + high)) / (high - low), (1,))]
            if n:
                half_period = (high - low) / 2 if cyclic else high - low
                k = jnp.arange(1, n + 1, dtype=point.dtype)
                phase = (x if cyclic else x - low) * (k * (np.pi / half_period))
                size = k**-self.decay
                features += [size * jnp.cos(phase), size * jnp.sin(phase)]
        return jnp.concatenate(features)


def harmonics_by_coordinate(
    harmonics: int | Mapping[str, int], coordinates: tuple[str, ...], periodic: Sequence[str]
) -> dict[str, int]:
    """Number of frequencies of each coordinate, in their order; errors as for the embedding."""
    if not isinstance(harmonics, Mapping):
        harmonics = {"": harmonics} | dict.fromkeys(periodic, harmonics)
    elif unknown := set(harmonics) - set(coordinates):
        raise ValueError(f"harmonics name {sorted(unknown)}, not among {coordinates}")
    for name, n in harmonics.items():
        least = 0 if name in set(coordinates) - set(periodic) else 1
        if isinstance(n, bool) or not isinstance(n, Integral) or n < least:
            where = f" along {name!r}" if name else ""
            raise ValueError(f"harmonics must be an integer >= {least}{where}, got {n!r}")
    return {c: int(harmonics.get(c, c in periodic)) for c in coordinates}


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
