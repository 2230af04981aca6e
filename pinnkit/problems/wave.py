"""The wave equation on a string with fixed ends: two modes at frequencies 1 and 4."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp

from pinnkit import recipes, references
from pinnkit.derivatives import partials
from pinnkit.problems._base import Problem
from pinnkit.problems._checks import positive
from pinnkit.problems._condition import Condition
from pinnkit.sampling import QuadratureSampler
from pinnkit.weighting import CausalWeights

SOFT = {"initial": 100.0, "initial_velocity": 10.0, "boundary": 100.0}
EARLY_FIRST = CausalWeights(tolerance=0.01)  # its residual is about 100 times that of Burgers


@dataclass(frozen=True, kw_only=True)
class Wave(Problem):
    """u_tt = c^2 u_xx on t in [0, 1], x in [0, 1], u = 0 at both ends.

    The string starts at rest in the shape sin(pi x) + 1/2 sin(4 pi x).

    Args:
        speed: c > 0, in lengths per time. The published benchmark has c = 2.

    Reference:
        Exact: sin(pi x) cos(c pi t) + 1/2 sin(4 pi x) cos(4 c pi t).

    Raises:
        ValueError: the speed is not positive and finite.
    """

    speed: float = 2.0

    coordinates = ("t", "x")
    domain = {"t": (0.0, 1.0), "x": (0.0, 1.0)}
    hard_terms = ("initial", "initial_velocity", "boundary")
    presets = recipes.presets(
        SOFT,
        EARLY_FIRST,
        laptop=recipes.second_order(
            steps=10_000,
            points=QuadratureSampler(nodes={"t": 16, "x": 48}),
            network={"harmonics": {"x": 4}},
            resample_every=10_000,
            weights={"initial": 1000.0, "initial_velocity": 100.0, "boundary": 1000.0},
            windows=4,
        ),
    )

    def __post_init__(self):
        positive("speed", self.speed)
        super().__post_init__()

    def residual(self, field, point):
        u_tt, u_xx = partials(field, point, "u_tt u_xx")
        return {"pde": u_tt - self.speed**2 * u_xx}

    def initial(self, point):
        _, x = point
        return jnp.sin(jnp.pi * x) + 0.5 * jnp.sin(4 * jnp.pi * x)

    def conditions(self):
        def initial(field, point):
            (u,) = partials(field, point, "u")
            return u - self.initial(point)

        def at_rest(field, point):
            (u_t,) = partials(field, point, "u_t")
            return u_t

        def fixed(field, point):
            (u,) = partials(field, point, "u")
            return u

        return (
            Condition("initial", {"t": (0.0,)}, initial),
            Condition("initial_velocity", {"t": (0.0,)}, at_rest),
            Condition("boundary", {"x": (0.0, 1.0)}, fixed),
        )

    def impose(self, point, output):
        t, x = point
        return self.initial(point) + t**2 * x * (1 - x) * output

    def reference(self):
        return references.wave(speed=self.speed)
