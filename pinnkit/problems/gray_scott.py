"""The Gray-Scott equations: an autocatalyst spreads in rings and starves where it was."""

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
class GrayScott(Problem):
    """u_t = D_u lap u + F (1 - u) - R u v^2, v_t = D_v lap v - K v + R u v^2.

    On t in [0, 2] and [-1, 1]^2, periodic in x and y, from one Gaussian each:
    u(0) = 1 - exp(-10 ((x + 0.05)^2 + (y + 0.02)^2)),
    v(0) = exp(-10 ((x - 0.05)^2 + (y - 0.02)^2)).

    Args:
        diffusion_u, diffusion_v: D_u, D_v > 0.
        feed: F > 0, the rate at which the substrate u returns to 1.
        kill: K > 0, the rate at which the autocatalyst v decays.
        reaction: R > 0.

    Notes:
        All numbers are dimensionless. The Gaussians jump by 1e-4 across the edge of the square.
        The hard condition keeps that jump at all times, the true solution does not.

    Reference:
        Fourier and ETDRK4, see `pinnkit.references.gray_scott`.

    Raises:
        ValueError: a parameter is not positive and finite.
    """

    diffusion_u: float = 0.2
    diffusion_v: float = 0.1
    feed: float = 40.0
    kill: float = 100.0
    reaction: float = 1000.0

    coordinates = ("t", "x", "y")
    fields = ("u", "v")
    domain = {"t": (0.0, 2.0), "x": (-1.0, 1.0), "y": (-1.0, 1.0)}
    periodic = ("x", "y")
    hard_terms = ("initial",)
    presets = recipes.presets(
        {"initial": 100.0},
        CausalWeights(),
        # short windows first: the autocatalyst dies within 1 / kill where it is not fed; most
        # steps while the ring breaks up. Steps are the limit, not rounding: single precision
        laptop=recipes.second_order(
            steps=(400, 400, 600, 900, 1200, 1300, 1300, 1300, 1000, 400, 300, 300, 300, 300),
            points=QuadratureSampler(nodes={"t": 5, "x": 36, "y": 36}),
            network={
                "width": 32,
                "activation": "sin",
                "harmonics": 6,
                "harmonic_decay": 1.0,
                "dtype": "float32",
            },
            resample_every=1300,
            weights={"initial": 1e4},
            windows=(0, 0.01, 0.03, 0.07, 0.15, 0.27, 0.43, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0),
        ),
    )

    def __post_init__(self):
        for name in ("diffusion_u", "diffusion_v", "feed", "kill", "reaction"):
            positive(name, getattr(self, name))
        super().__post_init__()

    def residual(self, field, point):
        u, u_t, u_xx, u_yy, v, v_t, v_xx, v_yy = partials(
            field, point, "u u_t u_xx u_yy v v_t v_xx v_yy"
        )
        gain = self.reaction * u * v**2
        return {
            "pde_u": u_t - self.diffusion_u * (u_xx + u_yy) - self.feed * (1 - u) + gain,
            "pde_v": v_t - self.diffusion_v * (v_xx + v_yy) + self.kill * v - gain,
        }

    def initial(self, point):
        _, x, y = point
        u = 1 - jnp.exp(-10 * ((x + 0.05) ** 2 + (y + 0.02) ** 2))
        v = jnp.exp(-10 * ((x - 0.05) ** 2 + (y - 0.02) ** 2))
        return jnp.stack([u, v])

    def conditions(self):
        return (starts_from(self.initial),)

    def impose(self, point, output):
        t, _, _ = point
        return self.initial(point) + t * output

    def reference(self):
        return references.gray_scott(
            self.diffusion_u, self.diffusion_v, self.feed, self.kill, self.reaction
        )
