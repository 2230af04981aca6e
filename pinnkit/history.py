"""What a run measured, as columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np


class History(Mapping):
    """Columns of equal length by name: `history["loss"]` is an array.

    Wall times ("seconds") count training and monitoring, not compilation.
    """

    def __init__(self, columns: Mapping[str, list[float]] | None = None):
        self._columns = {name: list(values) for name, values in (columns or {}).items()}

    def append(self, row: Mapping[str, float]) -> None:
        if self._columns and set(row) != set(self._columns):
            raise ValueError(f"expected a row with {set(self._columns)}, got {set(row)}")
        for name, value in row.items():
            self._columns.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._columns:
            raise KeyError(f"no column {name!r}: the history has {', '.join(self._columns)}")
        return np.asarray(self._columns[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        rows = len(next(iter(self._columns.values()), ()))
        return f"History({rows} rows: {', '.join(self._columns)})"

    @property
    def seconds(self) -> float:
        """Wall time of the last row."""
        return self._columns["seconds"][-1] if self._columns else 0.0

    def summary(self) -> str:
        """Loss and error of the last row, for a progress bar."""
        errors = {n.removeprefix("error/"): n for n in self if n.startswith("error/")}
        parts = [f"loss {self._columns['loss'][-1]:.2e}"]
        parts += [f"error {f} {self._columns[n][-1]:.2e}" for f, n in errors.items()]
        return ", ".join(parts)

    def to_dict(self) -> dict[str, list[float]]:
        return dict(self._columns)
