"""Boussinesq flow between two walls: Fourier in x, Stokes modes of the layer in y, ETDRK4 in t.

For velocity (u, v), temperature T and pressure p, with x of period 1 and -1 <= s <= 1,

    u_t - v w = -P_x + nu Lap u
    v_t + u w = -P_s + nu Lap v + T        with the vorticity w = v_x - u_s
    T_t + (u T)_x + (v T)_s = kappa Lap T
    u_x + v_s = 0

and u = v = T = 0 on both walls; P = p + (u^2 + v^2) / 2, so that (u, v) is advected by its own
gradient. Velocities are sought among fields (psi_s, -psi_x) with psi = psi_s = 0 on the walls.
They are free of divergence, and a test with such a field removes P. For each wavenumber the basis
is that of the discrete Stokes modes: polynomials psi that diagonalize the viscous term, orthonormal
in kinetic energy. Each amplitude then obeys an ordinary differential equation with a decay rate of
its own, which ETDRK4 (Cox and Matthews 2002, J. Comput. Phys. 176, 430) integrates exactly.

The polynomials are combinations of Legendre polynomials (Shen 1994, SIAM J. Sci. Comput. 15, 1489).
Products are taken at enough points that they carry no aliasing error in x or s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.polynomial import legendre
from scipy.linalg import eigh


class Layer:
    """Galerkin space of velocities and temperatures between the walls s = -1 and s = 1.

    A state is a complex array of shape (modes + 1, 2 degree - 4): for each wavenumber >= 0 the
    amplitudes of degree - 3 velocity modes, then those of degree - 1 temperature modes.

    Args:
        modes: highest Fourier mode in x.
        degree: highest degree in s of the stream function and the temperature.
        viscosity: nu > 0, dimensionless like all else.
        diffusivity: kappa > 0.
    """

    def __init__(self, modes: int, degree: int, viscosity: float, diffusivity: float):
        self.wavenumbers = 2 * np.pi * np.arange(modes + 1)
        self.s, self._weights = legendre.leggauss(3 * degree // 2 + 1)
        self.x = np.arange(3 * modes + 1) / (3 * modes + 1)

        self._velocity = [velocity_modes(k, degree) for k in self.wavenumbers]
        self._temperature = wall_modes(degree)
        self.velocities = degree - 3
        decay_t = self._temperature[0] + self.wavenumbers[:, None] ** 2
        decay_u = np.stack([rates for rates, *_ in self._velocity])
        self.decay = np.concatenate([viscosity * decay_u, diffusivity * decay_t], axis=1)

        self._u, self._v, self._theta = self.bases(self.s)
        k = self.wavenumbers[:, None, None]
        self._vorticity = k * self._v - self.bases(self.s, derivative=1)[0]
        self._theta_s = self.bases(self.s, derivative=1)[2]

    def bases(self, s: np.ndarray, derivative: int = 0) -> tuple[np.ndarray, ...]:
        """The modes' profiles at heights s (n,), or a derivative of them.

        Returns:
            U and V, shape (modes + 1, n, degree - 3), and Theta, shape (n, degree - 1). A velocity
            mode with amplitude a is (U, -i V) a exp(i k x).
        """
        u = np.stack([values(c, s, derivative) for _, c, _ in self._velocity])
        v = np.stack([values(c, s, derivative) for _, _, c in self._velocity])
        return u, v, values(self._temperature[1], s, derivative)

    def fields(self, state: np.ndarray, x: np.ndarray, s: np.ndarray) -> np.ndarray:
        """u, v and T at x (m,) and s (n,): shape (3, m, n)."""
        u, v, theta = self.bases(s)
        a, b = state[:, : self.velocities], state[:, self.velocities :]
        profiles = np.stack([_apply(u, a), -1j * _apply(v, a), b @ theta.T])
        waves = np.exp(1j * x[:, None] * self.wavenumbers)
        waves[:, 1:] *= 2  # the negative wavenumbers' share
        return (waves @ profiles).real

    def state(self, fields: np.ndarray) -> np.ndarray:
        """Projection of u, v and T, given at (self.x, self.s), shape (3, len(x), len(s))."""
        u, v, theta = self._to_profiles(fields)
        return np.concatenate([self._test_velocity(u, v), theta @ self._theta], axis=1)

    def nonlinear(self, state: np.ndarray) -> np.ndarray:
        """Tendency of a state from advection and buoyancy."""
        a, b = state[:, : self.velocities], state[:, self.velocities :]
        profiles = [_apply(self._u, a), -1j * _apply(self._v, a), _apply(self._vorticity, a)]
        profiles = np.stack([*profiles, b @ self._theta.T])
        u, v, w, theta = np.fft.irfft(profiles, len(self.x), axis=1, norm="forward")
        products = np.stack([v * w, theta - u * w, u * theta, v * theta])
        f_u, f_v, f_x, f_s = self._to_profiles(products)
        heating = f_s @ self._theta_s - 1j * self.wavenumbers[:, None] * (f_x @ self._theta)
        return np.concatenate([self._test_velocity(f_u, f_v), heating], axis=1)

    def _to_profiles(self, fields: np.ndarray) -> np.ndarray:
        """Fourier coefficients of fields at (x, s), times the weights of the quadrature in s."""
        coefficients = np.fft.rfft(fields, axis=1, norm="forward")
        return coefficients[:, : len(self.wavenumbers)] * self._weights

    def _test_velocity(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return _apply(self._u.mT, u) + 1j * _apply(self._v.mT, v)


def wall_modes(degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Polynomials that vanish at both walls and diagonalize -d^2/ds^2.

    Returns:
        Rates, shape (degree - 1,), and Legendre coefficients, shape (degree + 1, degree - 1).
    """
    n = np.arange(degree - 1)
    c = np.zeros((degree + 1, degree - 1))
    c[n, n], c[n + 2, n] = 1, -1
    c /= np.sqrt(4 * n + 6)  # the norms of the first derivatives
    return _diagonalize(_gram(c, 0), _gram(c, 1), c)


def velocity_modes(k: float, degree: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stokes modes (U, -i V) exp(i k x) of the layer, of unit kinetic energy.

    Returns:
        Rates (degree - 3,), to be multiplied by the viscosity, and the Legendre coefficients of U
        and V, shape (degree + 1, degree - 3). For k = 0, U is any profile that vanishes at the
        walls, of degree - 2 at most, and V = 0.
    """
    if k == 0:
        rates, c = wall_modes(degree - 2)
        c = np.concatenate([c, np.zeros((2, degree - 3))])
        return rates, c, np.zeros_like(c)
    n = np.arange(degree - 3)
    c = np.zeros((degree + 1, degree - 3))
    c[n, n], c[n + 2, n], c[n + 4, n] = 1, -(4 * n + 10) / (2 * n + 7), (2 * n + 3) / (2 * n + 7)
    c /= np.sqrt(2 * (2 * n + 3) ** 2 * (2 * n + 5))  # the norms of the second derivatives
    mass, slope, curvature = (_gram(c, m) for m in range(3))
    energy, dissipation = slope + k**2 * mass, curvature + 2 * k**2 * slope + k**4 * mass
    rates, psi = _diagonalize(energy, dissipation, c)
    derivative = np.pad(legendre.legder(psi), ((0, 1), (0, 0)))
    return rates, derivative, k * psi


def _diagonalize(energy, dissipation, c) -> tuple[np.ndarray, np.ndarray]:
    """Rates dissipation / energy and modes of unit energy, from combinations of the columns c."""
    inverse_rates, vectors = eigh(energy, dissipation)
    return 1 / inverse_rates, c @ (vectors / np.sqrt(inverse_rates))


def _gram(c: np.ndarray, derivative: int) -> np.ndarray:
    """Integrals over -1 <= s <= 1 of products of two columns' series, or of derivatives."""
    s, weights = legendre.leggauss(len(c))
    f = values(c, s, derivative)
    return f.T @ (weights[:, None] * f)


def values(c: np.ndarray, s: np.ndarray, derivative: int = 0) -> np.ndarray:
    """Legendre series with coefficients c (degree + 1, n), or a derivative, at s: (len(s), n)."""
    c = legendre.legder(c, derivative)
    return legendre.legvander(s, len(c) - 1) @ c


def _apply(matrices: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """A real matrix for each wavenumber times a complex vector for each wavenumber."""
    pairs = np.ascontiguousarray(coefficients).view(float).reshape(*coefficients.shape, 2)
    return np.ascontiguousarray(matrices @ pairs).view(complex)[..., 0]


def etdrk4(
    nonlinear: Callable[[np.ndarray], np.ndarray],
    decay: np.ndarray,
    state: np.ndarray,
    dt: float,
) -> Iterator[np.ndarray]:
    """States after 1, 2, ... steps of length dt of y' = -decay y + nonlinear(y).

    The coefficients are means over a circle round each -decay dt (Kassam and Trefethen 2005,
    SIAM J. Sci. Comput. 26, 1214).
    """
    z = -dt * decay
    circle = np.exp(1j * np.pi * (np.arange(16) + 0.5) / 16)  # its upper half: z is real
    whole, half = np.exp(z), np.exp(z / 2)
    to_half, first, second, third = np.zeros((4, *z.shape))
    for root in circle:
        r = z + root
        e = np.exp(r)
        to_half += dt / 16 * ((np.exp(r / 2) - 1) / r).real
        first += dt / 16 * ((-4 - r + e * (4 - 3 * r + r**2)) / r**3).real
        second += dt / 16 * ((2 + r + e * (r - 2)) / r**3).real
        third += dt / 16 * ((-4 - 3 * r - r**2 + e * (4 - r)) / r**3).real
    while True:
        n_0 = nonlinear(state)
        a = half * state + to_half * n_0
        n_a = nonlinear(a)
        b = half * state + to_half * n_a
        n_b = nonlinear(b)
        n_c = nonlinear(half * a + to_half * (2 * n_b - n_0))
        state = whole * state + first * n_0 + 2 * second * (n_a + n_b) + third * n_c
        yield state
