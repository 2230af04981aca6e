"""How much of a field lies at which wave lengths."""

from __future__ import annotations

import numpy as np


def radial_spectrum(fields: np.ndarray) -> np.ndarray:
    """Amplitude of the waves of a periodic square by their number of periods, in all directions.

    Args:
        fields: shape (n_fields, n, n), on equally spaced points without the end of the period.

    Returns:
        Shape (n // 2,): entry k is the root of the mean square of what the waves with at least k
        and less than k + 1 periods, sqrt(k_x^2 + k_y^2), contribute to all fields together. The
        squares add up to the mean square of the fields (Parseval), but for waves that are shorter
        than the grid resolves in every direction.

    Raises:
        ValueError: the fields do not have this shape.
    """
    fields = np.asarray(fields)
    if fields.ndim != 3 or fields.shape[1] != fields.shape[2]:
        raise ValueError(
            f"expected fields on a square grid, shape (n_fields, n, n), got {fields.shape}"
        )
    n = fields.shape[1]
    power = np.sum(np.abs(np.fft.fft2(fields) / n**2) ** 2, axis=0)
    periods = np.fft.fftfreq(n, 1 / n)
    k = np.hypot(*np.meshgrid(periods, periods)).astype(int)
    return np.sqrt(np.bincount(k.ravel(), power.ravel()))[: n // 2]
