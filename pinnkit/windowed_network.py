"""Networks for time windows: one that sees a window as the whole interval, and several joined."""

from __future__ import annotations

import json
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from pinnkit.embeddings import Fixed
from pinnkit.networks import Enriched
from pinnkit.precision import dtype_of, precision
from pinnkit.problems import Problem


class InWindow(nnx.Module):
    """A network that sees a time window as if it were the problem's whole time interval."""

    def __init__(self, network: nnx.Module, problem: Problem, interval: tuple[float, float]):
        self.network = network
        self.axis = problem.coordinates.index("t")
        self.whole = tuple(problem.domain["t"])
        dtype = dtype_of(nnx.state(network, nnx.Param))
        with precision(dtype):
            self.interval = Fixed(jnp.asarray(interval, dtype))

    def __call__(self, point: jax.Array) -> jax.Array:
        (first, last), (start, end) = self.whole, self.interval[...]
        t = first + (point[self.axis] - start) * ((last - first) / (end - start))
        seen = jnp.stack([t if i == self.axis else x for i, x in enumerate(point)])
        if isinstance(self.network, Enriched):
            return self.network(point, seen)
        return self.network(seen)


class Windowed(nnx.Module):
    """Networks joined in time; what belongs to two windows is taken from the earlier one.

    Args:
        networks: one for each window, all built alike.
        problem: on the whole interval.
        edges: first time, the times between windows, last time.
    """

    def __init__(self, networks: Sequence[nnx.Module], problem: Problem, edges: Sequence[float]):
        self.axis = problem.coordinates.index("t")
        self.edges = tuple(map(float, edges))
        windows = zip(networks, self.edges, self.edges[1:], strict=False)
        self.windows = nnx.List([InWindow(n, problem, (a, b)) for n, a, b in windows])
        spec = getattr(networks[0], "spec", None)
        if spec is not None:
            self.spec = json.dumps(
                {"edges": self.edges, "windows": len(networks), "each": json.loads(spec)}
            )

    def parts(self, points: np.ndarray) -> list[tuple[InWindow, np.ndarray]]:
        """The windows that have some of the points, shape (n, d), and the indices of those."""
        window = np.searchsorted(self.edges[1:-1], points[:, self.axis])
        where = [np.flatnonzero(window == k) for k in range(len(self.windows))]
        return [(w, i) for w, i in zip(self.windows, where, strict=True) if len(i)]

    def __call__(self, point: jax.Array) -> jax.Array:
        value = self.windows[0](point)
        for window, start in zip(list(self.windows)[1:], self.edges[1:], strict=False):
            value = jnp.where(point[self.axis] > start, window(point), value)
        return value
