"""Kolmogorov flow: a shear force drives two-dimensional turbulence."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from pinnkit import recipes, references
from pinnkit.derivatives import partials
from pinnkit.problems._base import Problem
from pinnkit.problems._checks import positive
from pinnkit.problems._condition import starts_from
from pinnkit.references.kolmogorov_flow import BAND, FORCING, coefficients, velocity
from pinnkit.weighting import CausalWeights


@dataclass(frozen=True, kw_only=True)
class KolmogorovFlow(Problem):
    """Incompressible Navier-Stokes with the force 2 sin(4 pi y) along x, for vorticity.

    w_t + u w_x + v w_y = lap w / Re - 8 pi cos(4 pi y),  u_x + v_y = 0,  w = v_x - u_y

    On t in [0, 1] and [0, 1]^2, periodic in x and y, from a developed random flow.

    Args:
        reynolds: Re > 0, with the side of the square as length and 1 as velocity: the viscosity
            is 1/Re. The published benchmark has 10^4; the velocity is about 1.5.

    Notes:
        All numbers are dimensionless. The initial state is the reference's at t = 0, a Fourier
        sum over modes |k| <= 32, and so known at every point (and to a tenth of the reference's
        error). These equations leave the mean velocity along x open: a flow that is carried along
        at a speed U(t) with U(0) = 0 satisfies them too. The reference has U = 0.

    Reference:
        Fourier and ETDRK4, see `pinnkit.references.kolmogorov_flow`.

    Raises:
        ValueError: the Reynolds number is not positive and finite.
    """

    reynolds: float = 1e4

    coordinates = ("t", "x", "y")
    fields = ("u", "v", "w")
    domain = {"t": (0.0, 1.0), "x": (0.0, 1.0), "y": (0.0, 1.0)}
    periodic = ("x", "y")
    presets = recipes.presets({"initial": 100.0}, CausalWeights())

    def __post_init__(self):
        positive("reynolds", self.reynolds)
        super().__post_init__()

    def residual(self, field, point):
        u, u_x, u_y, v, v_x, v_y, w, w_t, w_x, w_y, w_xx, w_yy = partials(
            field, point, "u u_x u_y v v_x v_y w w_t w_x w_y w_xx w_yy"
        )
        _, _, y = point
        curl_of_force = -4 * jnp.pi * FORCING * jnp.cos(4 * jnp.pi * y)
        return {
            "transport": w_t + u * w_x + v * w_y - (w_xx + w_yy) / self.reynolds - curl_of_force,
            "continuity": u_x + v_y,
            "vorticity": w - (v_x - u_y),
        }

    def initial(self, point):
        """(u, v, w) at t = 0: a separable Fourier sum."""
        _, x, y = point
        c = _initial_coefficients(self.reynolds)
        waves_x, waves_y = _waves(x, np.arange(-BAND, BAND + 1)), _waves(y, np.arange(BAND + 1))
        c = jnp.asarray(c, waves_x.dtype)
        return jnp.einsum("fkl,k,l->f", c, waves_x, waves_y, precision="highest").real

    def conditions(self):
        return (starts_from(self.initial),)

    def reference(self):
        return references.kolmogorov_flow(self.reynolds)


def _waves(x, k):
    return jnp.exp(2j * jnp.pi * jnp.mod(k * x, 1))


@functools.cache
def _initial_coefficients(reynolds: float) -> np.ndarray:
    """Of (u, v, w) in the reference at t = 0, complex, shape (3, 2 BAND + 1, BAND + 1)."""
    w = references.kolmogorov_flow(reynolds).values["w"][0, :-1, :-1]
    return coefficients(np.concatenate([velocity(w), w[None]]))
