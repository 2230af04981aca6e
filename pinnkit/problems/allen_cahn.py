"""The Allen-Cahn equation: two phases, u = -1 and u = 1, with thin layers between them."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from jax.scipy.special import erf

from pinnkit import recipes, references
from pinnkit.derivatives import partials
from pinnkit.problems._base import Problem
from pinnkit.problems._checks import positive
from pinnkit.problems._condition import starts_from
from pinnkit.sampling import QuadratureSampler
from pinnkit.weighting import CausalWeights

EARLY = 1e-12
"""Age of the kink at t = 0: it keeps the derivatives finite."""


@dataclass(frozen=True, kw_only=True)
class AllenCahn(Problem):
    """u_t = eps u_xx + k (u - u^3) on t in [0, 1], x in [-1, 1], periodic in x.

    It starts from u(0, x) = x^2 cos(pi x).

    Args:
        diffusion: eps > 0, dimensionless; layers between the phases are about
            sqrt(2 eps / k) wide.
        reaction: k > 0, the rate at which u tends to -1 or 1.

    Notes:
        The periodic extension of the initial state has a kink at x = +-1, which diffusion smooths
        at once. A hard initial condition u_0 + t N keeps the kink for all times, so it cannot be
        exact there. The enrichment is 2 |s|, s = 2/pi sin(pi (x - 1) / 2), which has the same kink,
        as the heat equation smooths it, times exp(-2 k t), as the reaction damps what is added to
        u = -1: what is left to the network is smooth to first order.

    Reference:
        Fourier-ETDRK4 from exact initial coefficients, see `pinnkit.references.allen_cahn`.

    Raises:
        ValueError: a coefficient is not positive and finite.
    """

    diffusion: float = 1e-4
    reaction: float = 5.0

    coordinates = ("t", "x")
    domain = {"t": (0.0, 1.0), "x": (-1.0, 1.0)}
    periodic = ("x",)
    hard_terms = ("initial",)
    presets = recipes.presets(
        {"initial": 100.0},
        CausalWeights(),
        # what is wrong early, between the fronts, grows by 150 until t = 1
        laptop=recipes.second_order(
            steps=(24_000, 12_000) + (8000,) * 4,
            points=QuadratureSampler(nodes={"t": 12, "x": 300}, clustered=("x",)),
            network={"harmonics": 4, "enriched": True},
            resample_every=24_000,
            weights={"initial": 300.0},
            windows=(0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 1.0),
        ),
    )

    def __post_init__(self):
        positive("diffusion", self.diffusion)
        positive("reaction", self.reaction)
        super().__post_init__()

    def residual(self, field, point):
        u, u_t, u_xx = partials(field, point, "u u_t u_xx")
        return {"pde": u_t - self.diffusion * u_xx - self.reaction * (u - u**3)}

    def enrichment(self, point):
        t, x = point
        s = 2 / jnp.pi * jnp.sin(jnp.pi / 2 * (x - 1))
        width = jnp.sqrt(4 * self.diffusion * (t + EARLY))
        smoothed = s * erf(s / width) + width / jnp.sqrt(jnp.pi) * jnp.exp(-((s / width) ** 2))
        return jnp.stack([2 * jnp.exp(-2 * self.reaction * t) * smoothed])

    def initial(self, point):
        _, x = point
        return x**2 * jnp.cos(jnp.pi * x)

    def conditions(self):
        return (starts_from(self.initial),)

    def impose(self, point, output):
        t, _ = point
        return self.initial(point) + t * output

    def reference(self):
        return references.allen_cahn(self.diffusion, self.reaction)
