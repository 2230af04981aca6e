"""The lid-driven cavity: steady flow in a box whose lid slides and drags the fluid round."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp

from pinnkit import recipes
from pinnkit.derivatives import partials
from pinnkit.problems._base import Problem
from pinnkit.problems._condition import Condition
from pinnkit.references.lid_driven_cavity import check_reynolds, lid_driven_cavity
from pinnkit.sampling import QuadratureSampler

REACH = 0.3
WEIGHTS = {"lid": 10.0, "sides": 10.0, "bottom": 10.0}


def _second_order(nodes: int, width: int) -> recipes.Recipe:
    """With so many nodes on a side, and a network so wide.

    New points would spoil the fit, because some lie nearer to the corners than any before; with
    48 x 48 that stay, the error rises again after 15,000 steps.
    """
    return recipes.second_order(
        steps=20_000,
        points=QuadratureSampler(nodes={"x": nodes, "y": nodes}),
        network={"width": width, "enriched": True},
        resample_every=20_000,
        weights=WEIGHTS,
        curriculum=recipes.Curriculum(
            parameter="reynolds", values=(100.0, 400.0, 1000.0, 2000.0, 3200.0), steps=2500
        ),
    )


@dataclass(frozen=True, kw_only=True)
class LidDrivenCavity(Problem):
    """Steady incompressible Navier-Stokes equations on the unit square.

    u u_x + v u_y + p_x = (u_xx + u_yy) / Re, u v_x + v v_y + p_y = (v_xx + v_yy) / Re and
    u_x + v_y = 0; (u, v) = (1, 0) on the lid y = 1 and (0, 0) on the other walls.

    Args:
        reynolds: Re = lid velocity times side over viscosity, from 1 to 5000. Everything is
            dimensionless.

    Notes:
        The velocity jumps at the two upper corners. The pressure is determined up to a
        constant, so errors are those of u, v and the speed.

    Reference:
        Spectral elements, see `pinnkit.references.lid_driven_cavity`; the benchmark is that of
        Ghia, Ghia and Shin 1982 (J. Comput. Phys. 48, 387).

    Raises:
        TypeError: the Reynolds number is not a number.
        ValueError: it is outside [1, 5000].
    """

    reynolds: float = 100.0

    coordinates = ("x", "y")
    fields = ("u", "v", "p")
    domain = {"x": (0.0, 1.0), "y": (0.0, 1.0)}
    presets = recipes.presets(
        WEIGHTS,
        laptop=_second_order(nodes=72, width=32),
        gpu=_second_order(nodes=96, width=48),
    )

    def __post_init__(self):
        check_reynolds(self.reynolds)
        super().__post_init__()

    def residual(self, field, point):
        u, u_x, u_y, u_xx, u_yy, v, v_x, v_y, v_xx, v_yy, p_x, p_y = partials(
            field, point, "u u_x u_y u_xx u_yy v v_x v_y v_xx v_yy p_x p_y"
        )
        return {
            "momentum_x": u * u_x + v * u_y + p_x - (u_xx + u_yy) / self.reynolds,
            "momentum_y": u * v_x + v * v_y + p_y - (v_xx + v_yy) / self.reynolds,
            "continuity": u_x + v_y,
        }

    def conditions(self):
        def moving(field, point):
            u, v = partials(field, point, "u v")
            return jnp.stack([u - 1, v])

        def at_rest(field, point):
            return jnp.stack(partials(field, point, "u v"))

        return (
            Condition("lid", {"y": (1.0,)}, moving),
            Condition("sides", {"x": (0.0, 1.0)}, at_rest),
            Condition("bottom", {"y": (0.0,)}, at_rest),
        )

    def enrichment(self, point):
        """The flow next to the upper corners, where u jumps, and nothing beyond `REACH`."""
        x, y = point
        u_left, v_left, p_left = _below_a_sliding_lid(x, 1 - y)
        u_right, v_right, p_right = _below_a_sliding_lid(1 - x, 1 - y)
        pressure = (p_left - p_right) / self.reynolds
        return jnp.stack([u_left + u_right, v_left - v_right, pressure])

    def observables(self, values):
        u, v = values["u"], values["v"]
        return {"u": u, "v": v, "speed": (u**2 + v**2) ** 0.5}

    def reference(self):
        return lid_driven_cavity(self.reynolds)


def _below_a_sliding_lid(x, y):
    """u, v upwards and Re p in the corner of a wall at rest, x = 0, and a lid, y = 0 downwards.

    Where viscosity dominates the lid, which slides away at velocity 1, drives the flow of the
    stream function s = b y + angle (c x + d y), angle = atan(y / x) (Taylor 1962, "On scraping
    viscous fluid from a plane surface"). It fades out like exp(-(r / REACH)^4), without sources.
    """
    c = 1 / (1 - jnp.pi**2 / 4)
    b, d = 1 - c, c * jnp.pi / 2
    square = x**2 + y**2 + 1e-12  # no point is as near to the corner as that
    angle = 2 * jnp.arctan(y / (jnp.sqrt(square) + x))
    line = c * x + d * y
    stream = b * y + angle * line
    s_x, s_y = c * angle - line * y / square, b + d * angle + line * x / square
    fading = jnp.exp(-((square / REACH**2) ** 2))
    slope = -4 * square / REACH**4 * fading  # of the fading, divided by x or y
    u, down = fading * s_y + slope * y * stream, -fading * s_x - slope * x * stream
    return u, -down, 2 * fading * line / square
