"""Spectra of fields whose waves are known."""

import numpy as np
import pytest

from pinnkit.spectra import radial_spectrum

x = np.arange(32) / 32


def wave(kx, ky, amplitude=1.0):
    return amplitude * np.cos(2 * np.pi * (kx * x[:, None] + ky * x))


def test_a_wave_is_found_where_it_is():
    spectrum = radial_spectrum([wave(3, 4, 2.0)])
    expected = np.zeros(16)
    expected[5] = np.sqrt(2)  # of 2 cos the mean square is 2
    np.testing.assert_allclose(spectrum, expected, atol=1e-14)


def test_squares_add_up_to_the_mean_square():
    rng = np.random.default_rng(0)
    waves = [(1, 0), (0, 2), (5, 5), (-3, 9)]
    fields = np.array([sum(rng.normal() * wave(*k) for k in waves) for _ in range(2)])
    np.testing.assert_allclose(
        np.sum(radial_spectrum(fields) ** 2), np.sum(np.mean(fields**2, axis=(1, 2)))
    )
    rotated = np.rot90(fields, axes=(1, 2))
    np.testing.assert_allclose(radial_spectrum(rotated), radial_spectrum(fields), atol=1e-14)


def test_no_square():
    with pytest.raises(ValueError, match=r"shape \(n_fields, n, n\), got \(32, 32\)"):
        radial_spectrum(wave(1, 1))
