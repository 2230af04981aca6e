"""What a run measured, as columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from numbers import Real

import numpy as np


class History(Mapping):
    """Columns of equal length by name: `history["loss"]` is an array.

    Wall times ("seconds") count training and monitoring, not compilation.

    Raises:
        ValueError: the columns are not lists of numbers, or of different lengths.
    """

    def __init__(self, columns: Mapping[str, list[float]] | None = None):
        self._columns = {name: list(values) for name, values in (columns or {}).items()}
        lengths = {name: len(values) for name, values in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of a history must be equally long, got {lengths}")
        for name, values in self._columns.items():
            wrong = [v for v in values if not isinstance(v, Real)]
            if wrong:
                raise ValueError(f"column {name!r} must hold numbers, got {wrong[0]!r}")

    def append(self, row: Mapping[str, float]) -> None:
        if self._columns and set(row) != set(self._columns):
            raise ValueError(f"expected a row with {sorted(self._columns)}, got {sorted(row)}")
        for name, value in row.items():
            self._columns.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._columns:
            raise KeyError(
                f"no column {name!r}: the history has {', '.join(self) or 'no rows yet'}"
            )
        return np.asarray(self._columns[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        rows = len(next(iter(self._columns.values()), ()))
        return f"History({rows} rows: {', '.join(self._columns)})"

    def interference(self) -> tuple[tuple[str, ...], np.ndarray]:
        """The names of the n loss terms and their interference matrices, shape (rows, n, n).

        Raises:
            KeyError: there is a single term, or the optimizer's preconditioner is not known.
        """
        names = tuple(n.removeprefix("loss/") for n in self if n.startswith("loss/"))
        entries = [[self[f"interference/{j}/{k}"] for k in names] for j in names]
        return names, np.moveaxis(np.asarray(entries), -1, 0)

    @property
    def seconds(self) -> float:
        """Wall time of the last row."""
        return self._columns["seconds"][-1] if self._columns else 0.0

    @property
    def last_step(self) -> int:
        """Step of the last row, -1 before the first."""
        return self._columns["step"][-1] if self._columns else -1

    def summary(self) -> str:
        """Loss and error of the last row, for a progress bar."""
        errors = {n.removeprefix("error/"): n for n in self if n.startswith("error/")}
        parts = [f"loss {self._columns['loss'][-1]:.2e}"] if "loss" in self else []
        parts += [f"error {f} {self._columns[n][-1]:.2e}" for f, n in errors.items()]
        return ", ".join(parts)

    def to_dict(self) -> dict[str, list[float]]:
        return {name: list(values) for name, values in self._columns.items()}
