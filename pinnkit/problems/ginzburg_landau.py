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
from pinnkit.sampling import ResidualSampler
from pinnkit.weighting import CausalWeights

CORE = 0.05


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
        All numbers are dimensionless. Far from the vortex A is below 1e-10 at first and grows by
        exp(k t): what a network gets wrong there grows alike, until it meets the spiral. The hard
        condition therefore builds in `linear_and_saturated` as a factor, so that what is learned
        is of order 1 everywhere.

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
    presets = recipes.presets(
        {"initial": 100.0},
        CausalWeights(),
        # the core is narrower than the spacing of quadrature nodes: points are drawn, and renewed
        laptop=recipes.second_order(
            steps=6000,
            points=ResidualSampler(interior=8000),
            network={"width": 24, "harmonics": 6, "harmonic_decay": 1.0, "hard": True},
            resample_every=200,
        ),
    )

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

    def linear_and_saturated(self, point):
        """An explicit estimate of (u, v), shape (2,): exact at t = 0 and where A stays small.

        L solves the linear part, L_t = D lap L + k L, from A(0): it spreads and grows. Without
        diffusion, A = L S^(-1/2 - i c / 2) with S = 1 + |L|^2 (1 - exp(-2 k t)) solves the rest:
        it saturates and turns. Taken together they sharpen the core of the vortex without limit,
        so that in S its radius r counts as sqrt(r^2 + CORE^2).
        """
        t, x, y = point
        k, spread = self.growth, 1 + 100 * self.diffusion * t

        def periodic(function, z):
            return sum(function(z + shift) for shift in (-2, 0, 2))

        def even(z):
            return periodic(lambda z: jnp.exp(-25 * z**2 / spread), z) / jnp.sqrt(spread)

        def odd(z):
            return periodic(lambda z: z * jnp.exp(-25 * z**2 / spread), z) / spread**1.5

        amplitude = 10 * jnp.exp(k * t)
        u, v = amplitude * even(x) * odd(y), amplitude * odd(x) * even(y)
        square = u**2 + v**2 + (CORE * amplitude * even(x) * even(y)) ** 2
        log = jnp.log1p(-jnp.expm1(-2 * k * t) * square)
        return jnp.exp(-log / 2) * _product(
            (jnp.cos(self.rotation * log / 2), -jnp.sin(self.rotation * log / 2)), (u, v)
        )

    def impose(self, point, output):
        t, _, _ = point
        return _product((1 + t * output[0], t * output[1]), self.linear_and_saturated(point))

    def reference(self):
        return references.ginzburg_landau(self.diffusion, self.growth, self.rotation)


def _product(a, b):
    """Of two complex numbers, given as real and imaginary part."""
    return jnp.stack([a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]])
