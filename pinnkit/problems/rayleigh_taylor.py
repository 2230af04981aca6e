"""Rayleigh-Taylor convection: warm fluid below a cold one rises in a mushroom-shaped plume."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from pinnkit import recipes
from pinnkit.derivatives import partials
from pinnkit.problems._base import Problem
from pinnkit.problems._condition import Condition
from pinnkit.references.rayleigh_taylor import (
    END,
    check_physics,
    diffusivities,
    fourier_chebyshev,
    rayleigh_taylor,
)
from pinnkit.sampling import QuadratureSampler
from pinnkit.weighting import CausalWeights

COMPARED = ("u", "v", "T")


def _second_order(
    steps: int, windows: int, nodes: dict[str, int], width: int, harmonics: int
) -> recipes.Recipe:
    """The plume is smooth: few nodes, in windows that it crosses by less than its width."""
    return recipes.second_order(
        steps=steps,
        points=QuadratureSampler(nodes=nodes),
        network={"width": width, "activation": "sin", "harmonics": {"x": harmonics}},
        resample_every=steps,
        weights={"initial": 1e3, "walls": 1e3},
        windows=windows,
    )


@dataclass(frozen=True, kw_only=True)
class RayleighTaylor(Problem):
    """Boussinesq flow on t in [0, 2.5], x in [0, 1], periodic, and y in [0, 2].

        u_t + u u_x + v u_y = -p_x + sqrt(Pr / Ra) Lap u
        v_t + u v_x + v v_y = -p_y + sqrt(Pr / Ra) Lap v + T
        T_t + u T_x + v T_y = Lap T / sqrt(Pr Ra)
                  u_x + v_y = 0

    with u = v = T = 0 at y = 0 and y = 2. Warm fluid lies below a cold one. The flow starts from
    a snapshot of the growing instability, taken from the reference: what its values at t = 0
    interpolate, 63 Fourier modes in x times Chebyshev polynomials of degree 96 in y.

    Args:
        rayleigh: Ra, dimensionless, from 1e4 to 1e7; to less where Pr is far from 1.
        prandtl: Pr > 0, dimensionless: viscosity over diffusivity of heat.

    Notes:
        Pressure is determined up to a function of time and is not compared.

    Reference:
        Spectral Galerkin method with Stokes modes, see `pinnkit.references.rayleigh_taylor`. It
        is needed for the initial condition, too: where it is not at hand, it is computed as soon
        as training starts.

    Raises:
        ValueError: the numbers are not positive and finite, or the flow is not resolved.
    """

    rayleigh: float = 1e6
    prandtl: float = 0.71

    coordinates = ("t", "x", "y")
    fields = ("u", "v", "p", "T")
    domain = {"t": (0.0, END), "x": (0.0, 1.0), "y": (0.0, 2.0)}
    periodic = ("x",)
    hard_terms = ("walls",)
    presets = recipes.presets(
        {"initial": 100.0, "walls": 10.0},
        CausalWeights(),
        laptop=_second_order(
            steps=1500, windows=10, nodes={"t": 5, "x": 28, "y": 40}, width=32, harmonics=6
        ),
        gpu=_second_order(
            steps=3000, windows=12, nodes={"t": 6, "x": 40, "y": 56}, width=40, harmonics=8
        ),
    )

    def __post_init__(self):
        check_physics(self.rayleigh, self.prandtl)
        super().__post_init__()

    def residual(self, field, point):
        u, u_t, u_x, u_y, u_xx, u_yy, v, v_t, v_x, v_y, v_xx, v_yy, *others = partials(
            field,
            point,
            "u u_t u_x u_y u_xx u_yy v v_t v_x v_y v_xx v_yy p_x p_y T T_t T_x T_y T_xx T_yy",
        )
        p_x, p_y, T, T_t, T_x, T_y, T_xx, T_yy = others
        viscosity, diffusivity = diffusivities(self.rayleigh, self.prandtl)
        return {
            "momentum_x": u_t + u * u_x + v * u_y + p_x - viscosity * (u_xx + u_yy),
            "momentum_y": v_t + u * v_x + v * v_y + p_y - viscosity * (v_xx + v_yy) - T,
            "heat": T_t + u * T_x + v * T_y - diffusivity * (T_xx + T_yy),
            "continuity": u_x + v_y,
        }

    def initial(self, point):
        """u, v and T of the snapshot, shape (3,), at a point whose time is ignored."""
        _, x, y = point
        c = jnp.asarray(_snapshot(self), point.dtype)
        phases = 2 * jnp.pi * x * jnp.arange(1, c.shape[1] // 2 + 1)
        waves = jnp.concatenate([jnp.ones_like(phases[:1]), jnp.cos(phases), jnp.sin(phases)])
        chebyshev = jnp.cos(jnp.arange(c.shape[2]) * jnp.arccos(jnp.clip(y - 1, -1, 1)))
        return jnp.einsum("fij,i,j->f", c, waves, chebyshev, precision="highest")

    def conditions(self):
        def initial(field, point):
            return _compared(field(point)) - self.initial(point)

        def walls(field, point):
            return _compared(field(point))

        return (
            Condition("initial", {"t": (0.0,)}, initial),
            Condition("walls", {"y": (0.0, 2.0)}, walls),
        )

    def impose(self, point, output):
        _, _, y = point
        bubble = y * (2 - y)
        u, v, p, T = output
        return jnp.stack([bubble * u, bubble * v, p, bubble * T])

    def observables(self, values):
        return {name: values[name] for name in COMPARED}

    def reference(self):
        return rayleigh_taylor(rayleigh=self.rayleigh, prandtl=self.prandtl)


def _compared(fields):
    u, v, _, T = fields
    return jnp.stack([u, v, T])


@functools.lru_cache(maxsize=4)
def _snapshot(problem: RayleighTaylor) -> np.ndarray:
    """Coefficients of u, v and T at t = 0, shape (3, 63, 97)."""
    values = problem.reference().values
    return fourier_chebyshev(np.stack([values[name][0] for name in COMPARED]))
