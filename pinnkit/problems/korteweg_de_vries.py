"""The Korteweg-de Vries equation: a wave that breaks into solitons."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp

from pinnkit import recipes, references
from pinnkit.derivatives import partials
from pinnkit.problems._base import Problem
from pinnkit.problems._checks import positive
from pinnkit.problems._condition import starts_from
from pinnkit.sampling import QuadratureSampler
from pinnkit.weighting import CausalWeights


@dataclass(frozen=True, kw_only=True)
class KortewegDeVries(Problem):
    """u_t + u u_x + d^2 u_xxx = 0 on t in [0, 1], x in [-1, 1], periodic in x.

    It starts from u(0, x) = cos(pi x) (Zabusky and Kruskal 1965).

    Args:
        dispersion: d > 0, dimensionless; solitons of height h are about d sqrt(12 / h) wide.

    Notes:
        Mass int u, momentum int u^2 and energy int (u^3 / 3 - d^2 u_x^2) stay what they were.

    Reference:
        Fourier with an integrating factor and DOP853, see `pinnkit.references.korteweg_de_vries`.

    Raises:
        ValueError: the dispersion is not positive and finite.
    """

    dispersion: float = 0.022

    coordinates = ("t", "x")
    domain = {"t": (0.0, 1.0), "x": (-1.0, 1.0)}
    periodic = ("x",)
    hard_terms = ("initial",)
    presets = recipes.presets(
        {"initial": 100.0},
        CausalWeights(),
        laptop=recipes.second_order(
            steps=8000,
            points=QuadratureSampler(nodes={"t": 8, "x": 128}),
            network={"activation": "sin", "width": 20, "harmonics": 6, "harmonic_decay": 1.0},
            resample_every=8000,
            weights={"initial": 1000.0},
            windows=10,
        ),
    )

    def __post_init__(self):
        positive("dispersion", self.dispersion)
        super().__post_init__()

    def residual(self, field, point):
        u, u_t, u_x, u_xxx = partials(field, point, "u u_t u_x u_xxx")
        return {"pde": u_t + u * u_x + self.dispersion**2 * u_xxx}

    def initial(self, point):
        _, x = point
        return jnp.cos(jnp.pi * x)

    def conditions(self):
        return (starts_from(self.initial),)

    def impose(self, point, output):
        t, _ = point
        return self.initial(point) + t * output

    def reference(self):
        return references.korteweg_de_vries(self.dispersion)
