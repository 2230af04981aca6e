"""Burgers' equation: a smooth wave steepens into a shock held apart by viscosity."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax.numpy as jnp

from pinnkit import recipes, references
from pinnkit.derivatives import partials
from pinnkit.problems._base import Problem
from pinnkit.problems._checks import positive
from pinnkit.problems._condition import starts_from
from pinnkit.sampling import ResidualSampler
from pinnkit.weighting import CausalWeights


@dataclass(frozen=True, kw_only=True)
class Burgers(Problem):
    """u_t + u u_x = nu u_xx on t in [0, 1], x in [-1, 1], periodic in x; u(0, x) = -sin(pi x).

    Args:
        viscosity: nu > 0, dimensionless. At the default 0.01/pi a shock of width about
            nu forms at x = 0 near t = 1/pi. Good values: 0.003 to 1.

    Notes:
        The solution is odd in x, so u(t, 0) = u(t, +-1) = 0: the common Dirichlet form of
        this benchmark has the same solution.

    Reference:
        The Cole-Hopf integral (Hopf 1950, Cole 1951), see `pinnkit.references.burgers`.

    Raises:
        ValueError: the viscosity is not positive and finite.
    """

    viscosity: float = 0.01 / math.pi

    coordinates = ("t", "x")
    domain = {"t": (0.0, 1.0), "x": (-1.0, 1.0)}
    periodic = ("x",)
    hard_terms = ("initial",)
    presets = recipes.presets(
        {"initial": 100.0},
        CausalWeights(),
        laptop=recipes.second_order(
            steps=12_000,
            points=ResidualSampler(interior=6000, condition=1),
            network={"width": 20, "hard": True},
            resample_every=1500,
        ),
    )

    def __post_init__(self):
        positive("viscosity", self.viscosity)
        super().__post_init__()

    def residual(self, field, point):
        u, u_t, u_x, u_xx = partials(field, point, "u u_t u_x u_xx")
        return {"pde": u_t + u * u_x - self.viscosity * u_xx}

    def initial(self, point):
        _, x = point
        return -jnp.sin(jnp.pi * x)

    def conditions(self):
        return (starts_from(self.initial),)

    def impose(self, point, output):
        t, _ = point
        return self.initial(point) + t * output

    def reference(self):
        return references.burgers(viscosity=self.viscosity)
