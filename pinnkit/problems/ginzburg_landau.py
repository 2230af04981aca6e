"""The complex Ginzburg-Landau equation: a vortex core grows into a rotating spiral."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax.numpy as jnp

from pinnkit import recipes, references
from pinnkit.derivatives import partials
from pinnkit.problems._base import Problem
from pinnkit.problems._checks import positive
from pinnkit.problems._condition import starts_from
from pinnkit.weighting import CausalWeights


@dataclass(frozen=True, kw_only=True)
class GinzburgLandau(Problem):
    """A_t = D lap A + k A - k (1 + i c) A |A|^2 for A = u + i v.

    On t in [0, 1] and [-1, 1]^2, periodic in x and y, from a small vortex:
    A(0) = (10 y + 10 i x) exp(-25 (x^2 + y^2)).

    Args:
        diffusion: D > 0; the published benchmark has k / 2500.
        growth: k > 0, the rate at which |A| tends to 1.
        rotation: c; where |A| = 1 the phase turns at the rate -k c, in radians per time.

    Notes:
        All numbers are dimensionless.

    Reference:
        Fourier and ETDRK4, see `pinnkit.references.ginzburg_landau`.

    Raises:
        ValueError: diffusion or growth is not positive and finite, or the rotation not finite.
    """

    diffusion: float = 0.004
    growth: float = 10.0
    rotation: float = 1.5

    coordinates = ("t", "x", "y")
    fields = ("u", "v")
    domain = {"t": (0.0, 1.0), "x": (-1.0, 1.0), "y": (-1.0, 1.0)}
    periodic = ("x", "y")
    hard_terms = ("initial",)
    presets = recipes.presets({"initial": 100.0}, CausalWeights())

    def __post_init__(self):
        positive("diffusion", self.diffusion)
        positive("growth", self.growth)
        if not math.isfinite(self.rotation):
            raise ValueError(f"rotation must be finite, got {self.rotation!r}")
        super().__post_init__()

    def residual(self, field, point):
        u, u_t, u_xx, u_yy, v, v_t, v_xx, v_yy = partials(
            field, point, "u u_t u_xx u_yy v v_t v_xx v_yy"
        )
        k, c, square = self.growth, self.rotation, u**2 + v**2
        return {
            "pde_u": u_t - self.diffusion * (u_xx + u_yy) - k * u + k * square * (u - c * v),
            "pde_v": v_t - self.diffusion * (v_xx + v_yy) - k * v + k * square * (v + c * u),
        }

    def initial(self, point):
        _, x, y = point
        return 10 * jnp.stack([y, x]) * jnp.exp(-25 * (x**2 + y**2))

    def conditions(self):
        return (starts_from(self.initial),)

    def impose(self, point, output):
        t, _, _ = point
        return self.initial(point) + t * output

    def reference(self):
        return references.ginzburg_landau(self.diffusion, self.growth, self.rotation)
