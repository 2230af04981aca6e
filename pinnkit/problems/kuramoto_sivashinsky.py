"""The Kuramoto-Sivashinsky equation: long waves grow, short ones decay, and chaos follows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax.numpy as jnp

from pinnkit import recipes, references
from pinnkit.derivatives import partials
from pinnkit.problems._base import Problem
from pinnkit.problems._checks import positive
from pinnkit.problems._condition import starts_from
from pinnkit.sampling import QuadratureSampler
from pinnkit.weighting import CausalWeights

_EDGES = tuple(
    n / 80 for n in (0, 2, 4, *range(5, 10), *range(10, 36, 2), *range(36, 52), *range(52, 81, 2))
)


@dataclass(frozen=True, kw_only=True)
class KuramotoSivashinsky(Problem):
    """u_t + a u u_x + b u_xx + c u_xxxx = 0 on t in [0, 1], x in [0, 2 pi], periodic in x.

    It starts from u(0, x) = cos(x) (1 + sin(x)).

    Args:
        advection: a > 0, dimensionless as all coefficients are.
        growth: b > 0; waves with k^2 < b / c grow, fastest at the rate b^2 / (4 c).
        damping: c > 0.

    Notes:
        With the published coefficients waves up to k = 15 grow, at most at the rate 25, and small
        differences grow about 10^3-fold from t = 0.3 to 1.

    Reference:
        Fourier-ETDRK4, see `pinnkit.references.kuramoto_sivashinsky`.

    Raises:
        ValueError: a coefficient is not positive and finite.
    """

    advection: float = 100 / 16
    growth: float = 100 / 16**2
    damping: float = 100 / 16**4

    coordinates = ("t", "x")
    domain = {"t": (0.0, 1.0), "x": (0.0, 2 * math.pi)}
    periodic = ("x",)
    hard_terms = ("initial",)
    presets = recipes.presets(
        {"initial": 100.0},
        CausalWeights(),
        # errors that are made before t = 0.15 grow some 10^4-fold; windows are half as long where
        # the first fronts form and where most waves meet; the last 14, whose errors grow least, get
        # fewer steps
        laptop=recipes.second_order(
            steps=(4000,) * 37 + (3000,) * 14,
            points=QuadratureSampler(nodes={"t": 6, "x": 144}),
            network={"activation": "sin", "width": 20, "harmonics": 6, "harmonic_decay": 1.0},
            resample_every=4000,
            weights={"initial": 1000.0},
            windows=_EDGES,
        ),
    )

    def __post_init__(self):
        for name in ("advection", "growth", "damping"):
            positive(name, getattr(self, name))
        super().__post_init__()

    def residual(self, field, point):
        u, u_t, u_x, u_xx, u_xxxx = partials(field, point, "u u_t u_x u_xx u_xxxx")
        transport = u_t + self.advection * u * u_x
        return {"pde": transport + self.growth * u_xx + self.damping * u_xxxx}

    def initial(self, point):
        _, x = point
        return jnp.cos(x) * (1 + jnp.sin(x))

    def conditions(self):
        return (starts_from(self.initial),)

    def impose(self, point, output):
        t, _ = point
        return self.initial(point) + t * output

    def reference(self):
        return references.kuramoto_sivashinsky(self.advection, self.growth, self.damping)
