"""Semi-linear equations u_t = L u + N(u) on a periodic box: Fourier in space, ETDRK4 in time.

The integrator is exponax's fourth-order exponential time differencing (Cox and Matthews 2002,
J. Comput. Phys. 176, 430; Kassam and Trefethen 2005, SIAM J. Sci. Comput. 26, 1214). It keeps the
real part of its coefficients only, which is right where the symbol of L is real: for diffusion of
any order, not for dispersion.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import exponax
import jax
import jax.numpy as jnp
import numpy as np
from exponax.nonlin_fun import BaseNonlinearFun
from tqdm.auto import tqdm

Spectral = jax.Array
"""Fourier coefficients of real fields: shape (fields, n, ..., n // 2 + 1)."""


class PseudoSpectral(BaseNonlinearFun):
    """N(u) in Fourier space, with the modes beyond a fraction of the highest set to zero."""

    function: Callable
    derivative: jax.Array

    def __init__(self, function, derivative, dimensions, points, dealiasing):
        super().__init__(dimensions, points, dealiasing_fraction=dealiasing)
        self.function, self.derivative = function, derivative

    def __call__(self, coefficients: Spectral) -> Spectral:
        return self.function(self, coefficients)


class Semilinear(exponax.BaseStepper):
    """One ETDRK4 step of u_t = L u + N(u).

    Args:
        symbol: maps the derivative operators i k, shape (d, ...), to the symbol of L, which must
            be real: shape (fields, ...).
        nonlinear: maps (space, coefficients) to the coefficients of N(u); `space.fft`,
            `space.ifft` go between points and coefficients, `space.derivative` is i k.
        dealiasing: fraction of the modes that is kept: 2/3 for squares, 1/2 for cubes.
    """

    symbol: Callable
    nonlinear: Callable
    dealiasing: float

    def __init__(self, symbol, nonlinear, *, dimensions, extent, points, dt, fields, dealiasing):
        self.symbol, self.nonlinear, self.dealiasing = symbol, nonlinear, dealiasing
        super().__init__(dimensions, extent, points, dt, num_channels=fields, order=4)

    def _build_linear_operator(self, derivative_operator):
        symbol = self.symbol(derivative_operator)
        if jnp.abs(jnp.imag(symbol)).max() > 0:
            raise ValueError("this integrator is of first order only where the symbol is not real")
        return symbol

    def _build_nonlinear_fun(self, derivative_operator):
        return PseudoSpectral(
            self.nonlinear,
            derivative_operator,
            self.num_spatial_dims,
            self.num_points,
            self.dealiasing,
        )


def evolve(
    symbol: Callable,
    nonlinear: Callable,
    initial: np.ndarray,
    times: Sequence[float],
    *,
    extent: float,
    steps: int,
    dealiasing: float = 2 / 3,
    label: str = "reference",
) -> np.ndarray:
    """Solution at equally spaced times, in float64.

    Args:
        symbol, nonlinear, dealiasing: as for `Semilinear`.
        initial: state at the first time, shape (fields, points, ...), without the end point.
        times: increasing and equally spaced.
        extent: side of the box.
        steps: ETDRK4 steps from the first time to the last, a multiple of the intervals.
        label: of the progress bar.

    Returns:
        Shape (len(times), fields, points, ...).
    """
    fields, points = initial.shape[:2]
    each, left_over = divmod(steps, len(times) - 1)
    if left_over or each < 1:
        raise ValueError(
            f"steps must be a multiple of the {len(times) - 1} intervals between times, got {steps}"
        )
    # also where a problem asks for its reference while it is being compiled
    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        step = Semilinear(
            symbol,
            nonlinear,
            dimensions=initial.ndim - 1,
            extent=extent,
            points=points,
            dt=(times[-1] - times[0]) / steps,
            fields=fields,
            dealiasing=dealiasing,
        )
        advance = jax.jit(exponax.repeat(step, each))
        states = [jnp.asarray(initial, jnp.float64)]
        one = len(times) == 2
        for _ in tqdm(times[1:], desc=label, delay=2, leave=False, disable=one):
            states.append(jax.block_until_ready(advance(states[-1])))
        return np.stack(states)


def grid(low: float, high: float, points: int) -> np.ndarray:
    """Equally spaced points of a period, without its end."""
    return low + (high - low) * np.arange(points) / points


def with_end(values: np.ndarray, n: int, axes: Sequence[int] = (-1,)) -> np.ndarray:
    """Every k-th value of a period along the given axes, so that n remain with both ends."""
    for axis in axes:
        stride, left_over = divmod(values.shape[axis], n - 1)
        if left_over:
            raise ValueError(
                f"{values.shape[axis]} points cannot be thinned to {n} with both ends: the first "
                "must be a multiple of the second less one"
            )
        index = np.arange(0, values.shape[axis] + 1, stride) % values.shape[axis]
        values = np.take(values, index, axis=axis)
    return values


def sufficient_points(state: np.ndarray, accepted: float) -> float:
    """Points per axis at which the spectrum of a state falls to `accepted`, extrapolated.

    Args:
        state: shape (fields, points, ...), with at least 64 points.
        accepted: amplitude of the highest mode relative to the largest.

    Returns:
        A power of two, or infinity if the coefficients do not decay in the upper half of the
        modes that are kept.
    """
    points = state.shape[-1]
    amplitude = np.abs(np.fft.rfft(state, axis=-1)).reshape(-1, points // 2 + 1).max(axis=0)
    middle, last = points // 8, points // 4 - 2
    window = points // 32
    low, high = (amplitude[k - window : k].max() / amplitude.max() for k in (middle, last))
    if not 0 < high < 0.5 * low:
        return math.inf
    decay = math.log(low / high) / (last - middle)
    highest = last + max(0.0, math.log(high / accepted)) / decay
    return 2.0 ** math.ceil(math.log2(4 * highest))
