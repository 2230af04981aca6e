"""The lid-driven cavity: steady flow in a box whose lid slides and drags the fluid round."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp

from pinnkit import recipes
from pinnkit.derivatives import partials
from pinnkit.problems._base import Problem
from pinnkit.problems._condition import Condition
from pinnkit.references.lid_driven_cavity import check_reynolds, lid_driven_cavity


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
    presets = recipes.presets({"lid": 10.0, "sides": 10.0, "bottom": 10.0})

    def __post_init__(self):
        check_reynolds(self.reynolds)
        super().__post_init__()

    def residual(self, field, point):
        u, u_x, u_y, u_xx, u_yy = partials(field, point, "u u_x u_y u_xx u_yy")
        v, v_x, v_y, v_xx, v_yy = partials(field, point, "v v_x v_y v_xx v_yy")
        p_x, p_y = partials(field, point, "p_x p_y")
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

    def observables(self, values):
        u, v = values["u"], values["v"]
        return {"u": u, "v": v, "speed": (u**2 + v**2) ** 0.5}

    def reference(self):
        return lid_driven_cavity(self.reynolds)
