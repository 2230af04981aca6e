"""A solution on a grid that knows how true it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Reference:
    """A trusted solution.

    Attributes:
        axes: one increasing 1-D float64 array for each coordinate, in order.
        values: one float64 array for each field, with one axis for each coordinate.
        error_estimate: relative L2 error of the values, from two resolutions, a second method
            or, for a closed form, rounding.
        method: how it was computed, in a sentence.
        source: the paper or book.
        seconds: wall time it took to compute.
        units: of each coordinate and field; "1" is dimensionless.

    Raises:
        ValueError: an axis is not increasing, shapes do not agree or values are not finite.
    """

    axes: Mapping[str, np.ndarray]
    values: Mapping[str, np.ndarray]
    error_estimate: float
    method: str
    source: str
    seconds: float = 0.0
    units: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self):
        axes = {n: np.asarray(a, np.float64) for n, a in self.axes.items()}
        values = {n: np.asarray(v, np.float64) for n, v in self.values.items()}
        for name, a in axes.items():
            if a.ndim != 1 or len(a) < 2:
                raise ValueError(f"axis '{name}' must be 1-D with at least 2 points, got {a.shape}")
            wrong = np.flatnonzero(~(np.diff(a) > 0))
            if len(wrong):
                i = int(wrong[0])
                raise ValueError(
                    f"axis '{name}' must increase, but its entries {i} and {i + 1} are "
                    f"{a[i]} and {a[i + 1]}"
                )
        shape = tuple(len(a) for a in axes.values())
        for name, v in values.items():
            if v.shape != shape:
                raise ValueError(
                    f"'{name}' must have shape {shape} for axes {tuple(axes)}, got {v.shape}"
                )
            bad = np.argwhere(~np.isfinite(v))
            if len(bad):
                raise ValueError(
                    f"'{name}' has {len(bad)} values that are not finite, the first at index "
                    f"{tuple(map(int, bad[0]))}"
                )
        if not (np.isfinite(self.error_estimate) and self.error_estimate >= 0):
            raise ValueError(f"error_estimate must be finite, >= 0, got {self.error_estimate}")
        units = dict.fromkeys((*axes, *values), "1") | dict(self.units)
        for name, value in (("axes", axes), ("values", values), ("units", units)):
            object.__setattr__(self, name, value)

    def relative_error(self, prediction: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Relative L2 error of a prediction on this grid, by field.

        Raises:
            ValueError: a field is missing or has another shape.
        """
        errors = {}
        for name, truth in self.values.items():
            if name not in prediction:
                raise ValueError(f"the prediction lacks the field '{name}': got {[*prediction]}")
            guess = np.asarray(prediction[name])
            if guess.shape != truth.shape:
                raise ValueError(f"'{name}' must have shape {truth.shape}, got {guess.shape}")
            errors[name] = float(np.linalg.norm(guess - truth) / np.linalg.norm(truth))
        return errors
