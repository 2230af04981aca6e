"""A solution on a grid that knows how true it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.interpolate import make_interp_spline

ROUNDING = 1e-14


@dataclass(frozen=True)
class Reference:
    """A trusted solution.

    Attributes:
        axes: one increasing 1-D float64 array for each coordinate, in order.
        values: one float64 array for each field, with one axis for each coordinate.
        error_estimate: relative L2 error of the values, from two resolutions, a second method
            or, for a closed form, rounding; None if nobody knows.
        method: how it was computed, in a sentence.
        source: the paper or book.
        seconds: wall time it took to compute.
        units: of each coordinate and field; "1" is dimensionless.

    Raises:
        ValueError: an axis is not increasing, shapes do not agree or values are not finite.
    """

    axes: Mapping[str, np.ndarray]
    values: Mapping[str, np.ndarray]
    error_estimate: float | None
    method: str
    source: str
    seconds: float = 0.0
    units: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self):
        axes = {n: _unmasked(n, a) for n, a in self.axes.items()}
        values = {n: _unmasked(n, v) for n, v in self.values.items()}
        for name, a in axes.items():
            _check_axis(name, a)
        shape = tuple(len(a) for a in axes.values())
        for name, v in values.items():
            if v.shape != shape:
                raise ValueError(
                    f"'{name}' must have shape {shape} for axes {tuple(axes)}, got {v.shape}"
                )
            bad = np.argwhere(~np.isfinite(v))
            if len(bad):
                index = tuple(map(int, bad[0]))
                place = ", ".join(f"{n} = {axes[n][i]:g}" for n, i in zip(axes, index, strict=True))
                raise ValueError(
                    f"'{name}' has {len(bad)} values that are not finite, the first at index "
                    f"{index}, that is {place}"
                )
        known = self.error_estimate is not None
        if known and not (np.isfinite(self.error_estimate) and self.error_estimate >= 0):
            raise ValueError(
                f"error_estimate must be finite, >= 0, got {self.error_estimate}: pass None if "
                "it is unknown"
            )
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

    def compare(self, other: Reference) -> Comparison:
        """How far another solution of the same problem is from this one, and what that means.

        The other one is evaluated at those points of this grid that lie in its domain: exactly
        where the grids coincide, elsewhere by a cubic spline along each axis (of lower order if
        it has fewer than four points). Interpolation adds an error of its own, so call this on
        the coarser of the two.

        Raises:
            TypeError: the other one is no reference.
            ValueError: other coordinates, no common field, or no common points.
        """
        if not isinstance(other, Reference):
            raise TypeError(f"expected a Reference to compare with, got {type(other).__name__}")
        if set(self.axes) != set(other.axes):
            raise ValueError(
                f"the coordinates differ: {tuple(self.axes)} here, {tuple(other.axes)} there"
            )
        fields = [name for name in self.values if name in other.values]
        if not fields:
            raise ValueError(
                f"no field is common: {tuple(self.values)} here, {tuple(other.values)} there"
            )
        inside = {name: _inside(name, a, other.axes[name]) for name, a in self.axes.items()}
        points = {name: a[inside[name]] for name, a in self.axes.items()}
        order = [list(other.axes).index(name) for name in self.axes]
        mine = {n: self.values[n][np.ix_(*inside.values())] for n in fields}
        theirs = {n: other.values[n].transpose(order) for n in fields}
        for i, name in enumerate(self.axes):
            theirs = {n: _resample(v, other.axes[name], points[name], i) for n, v in theirs.items()}
        coincide = all(_coincide(p, other.axes[name]) is not None for name, p in points.items())
        return Comparison(
            axes=points,
            differences={n: theirs[n] - mine[n] for n in fields},
            size={n: float(np.sqrt(np.mean(mine[n] ** 2))) for n in fields},
            error_estimates=(self.error_estimate, other.error_estimate),
            interpolated=not coincide,
        )


@dataclass(frozen=True, repr=False)
class Comparison:
    """What `Reference.compare` found.

    Attributes:
        axes: the common points, one array for each coordinate.
        differences: other minus self there, by field, with one axis for each coordinate.
        size: root mean square of self there, by field; what differences are relative to.
        error_estimates: of self and of the other; None is unknown.
        interpolated: whether the other one had to be interpolated.
    """

    axes: Mapping[str, np.ndarray]
    differences: Mapping[str, np.ndarray]
    size: Mapping[str, float]
    error_estimates: tuple[float | None, float | None]
    interpolated: bool

    @property
    def relative(self) -> dict[str, float]:
        """Relative L2 difference by field."""
        return {
            n: _ratio(np.sqrt(np.mean(d**2)), self.size[n]) for n, d in self.differences.items()
        }

    @property
    def by_first_axis(self) -> dict[str, np.ndarray]:
        """L2 difference at each point of the first axis, such as each time, by field.

        It is relative to `size`, so that its root mean square is the relative L2 difference.
        """
        return {
            n: np.array([_ratio(row, self.size[n]) for row in d])
            for n, d in self.differences.items()
        }

    @property
    def largest(self) -> dict[str, tuple[float, dict[str, float]]]:
        """The largest difference, absolute, and the point where it is, by field."""
        found = {}
        for name, d in self.differences.items():
            index = np.unravel_index(np.argmax(np.abs(d)), d.shape)
            place = {c: float(a[i]) for i, (c, a) in zip(index, self.axes.items(), strict=True)}
            found[name] = (float(np.abs(d[index])), place)
        return found

    @property
    def verdict(self) -> str:
        """What the difference says about the two solutions, in words."""
        worst, known = max(self.relative.values()), [e is not None for e in self.error_estimates]
        if not any(known):
            return "both errors are unknown: the sum of the two is at least the difference"
        if not all(known):
            known_one, other = ("first", "second") if known[0] else ("second", "first")
            return (
                f"the error of the {other} is unknown: it is about {worst:.1e} if that of the "
                f"{known_one} is as small as estimated"
            )
        allowed = sum(self.error_estimates) + ROUNDING
        if worst <= allowed:
            return "they agree within their error estimates"
        coarse = ", or the second's grid is too coarse to interpolate: try second.compare(first)"
        return (
            f"the difference is {worst / allowed:.2g} times what the estimates allow: at least one "
            f"of them is wrong or under-resolved{coarse if self.interpolated else ''}"
        )

    def __repr__(self) -> str:
        grid = " x ".join(str(len(a)) for a in self.axes.values())
        how = ", the second interpolated" if self.interpolated else ""
        lines = [f"relative L2 difference on {grid} common points{how}"]
        for name, (size, place) in self.largest.items():
            where = ", ".join(f"{c} = {v:.4g}" for c, v in place.items())
            lines.append(f"{name}: {self.relative[name]:.1e}, largest {size:.2g} at {where}")
        first, second = ("unknown" if e is None else f"{e:.1e}" for e in self.error_estimates)
        lines.append(f"error estimates: {first} and {second}")
        return "\n".join([*lines, self.verdict])


def _unmasked(name: str, array) -> np.ndarray:
    if np.ma.is_masked(array):
        raise ValueError(
            f"'{name}' has {np.ma.count_masked(array)} masked entries: a reference has values "
            "everywhere"
        )
    return np.asarray(array, np.float64)


def _check_axis(name: str, a: np.ndarray) -> None:
    if a.ndim != 1 or len(a) < 2:
        raise ValueError(f"axis '{name}' must be 1-D with at least 2 points, got {a.shape}")
    bad = np.flatnonzero(~np.isfinite(a))
    if len(bad):
        raise ValueError(
            f"axis '{name}' must increase through finite numbers, but its entry {bad[0]} is "
            f"{a[bad[0]]}"
        )
    wrong = np.flatnonzero(np.diff(a) <= 0)
    if len(wrong):
        i = int(wrong[0])
        advice = "sort it, and the values along it"
        if (np.diff(a) < 0).all():
            advice = "it decreases throughout, so flip it, and the values along it, by np.flip"
        raise ValueError(
            f"axis '{name}' must increase, but its entries {i} and {i + 1} are "
            f"{a[i]} and {a[i + 1]}: {advice}"
        )


def _inside(name: str, points: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Indices of the points between the ends of the axis, rounding forgiven."""
    slack = 1e-9 * (axis[-1] - axis[0])
    inside = np.flatnonzero((points >= axis[0] - slack) & (points <= axis[-1] + slack))
    if not len(inside):
        raise ValueError(
            f"no point of '{name}' is common: [{points[0]:g}, {points[-1]:g}] here, "
            f"[{axis[0]:g}, {axis[-1]:g}] there"
        )
    return inside


def _coincide(points: np.ndarray, axis: np.ndarray) -> np.ndarray | None:
    """Where on the axis the points are, to rounding; None if one is not there."""
    nearest = np.searchsorted((axis[1:] + axis[:-1]) / 2, points)
    same = np.abs(axis[nearest] - points) <= 1e-12 * (axis[-1] - axis[0])
    return nearest if same.all() else None


def _resample(values: np.ndarray, axis: np.ndarray, points: np.ndarray, i: int) -> np.ndarray:
    """Values along their axis number i, moved to other points."""
    if (same := _coincide(points, axis)) is not None:
        return values.take(same, axis=i)
    spline = make_interp_spline(axis, values, k=min(3, len(axis) - 1), axis=i)
    return spline(np.clip(points, axis[0], axis[-1]))


def _ratio(difference: np.ndarray, size: float) -> float:
    """Root mean square of a difference over a size; a difference from nothing is infinite."""
    mean = float(np.sqrt(np.mean(difference**2)))
    if size:
        return mean / size
    return float("inf") if mean else 0.0
