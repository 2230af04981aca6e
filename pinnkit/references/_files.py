"""A reference solution from a file of one's own: MATLAB, NumPy or a table."""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from pinnkit.references._reference import Reference

SHOWN = 10
HDF5 = b"\x89HDF\r\n\x1a\n"


def load(
    path: str | Path,
    *,
    axes: Mapping[str, str],
    values: Mapping[str, str],
    error_estimate: float | None,
    order: Sequence[str] | None = None,
    method: str = "",
    source: str = "",
    units: Mapping[str, str] | None = None,
) -> Reference:
    """A reference solution from a .mat, .npz or .csv file.

    `load("burgers.mat", axes={"t": "t", "x": "x"}, values={"u": "usol"}, order="xt", ...)`

    Args:
        path: a MATLAB file (up to version 7; of 7.3 one must be saved again with '-v7'), a file
            that `numpy.savez` wrote, or a table with commas, decimal points, names in its first
            row and one row for each point of the grid, in any order.
        axes: the name in the file of each coordinate, in the order of the problem's coordinates.
        values: the name in the file of each field.
        error_estimate: relative L2 error of the values, None if it is unknown. Whoever computed
            them knows best; the difference between two resolutions is a good estimate.
        order: the coordinates in the order of the axes of the values in the file, if that is
            another one. A wrong order is noticed if the axes have different lengths. If they have
            the same, it cannot be: look at the initial condition, or compare with another
            solution by `Reference.compare`. Tables need none.
        method: how the values were computed.
        source: the paper, book or data set.
        units: of each coordinate and field; "1", dimensionless, where none is given.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError, TypeError: the file or an argument is not as described; the message says what
            is wrong where, and what to do.
    """
    path = Path(path).expanduser()
    _check_arguments(axes, values, order, units)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path} (looked in {path.parent.absolute()})")
    ending = path.suffix.lower()
    if ending not in (".mat", ".npz", ".csv"):
        raise ValueError(
            f"{path.name} ends in {ending!r}, expected .mat, .npz or .csv: read it yourself and "
            "build a pinnkit.Reference, or save its arrays with numpy.savez"
        )
    content = path.read_bytes()
    wanted = [*axes.values(), *values.values()]
    if ending == ".csv":
        if order is not None:
            raise ValueError("a table needs no order: each of its rows says where it is")
        grid, fields = _from_table(content, wanted, path.name, n_axes=len(axes))
    else:
        read = _read_mat if ending == ".mat" else _read_npz
        arrays = read(content, wanted, path.name)
        grid = [_flat(arrays[name], name, path.name) for name in axes.values()]
        lengths = {c: len(a) for c, a in zip(axes, grid, strict=True)}
        order = tuple(order or axes)
        fields = [_ordered(arrays[n], n, path.name, lengths, order) for n in values.values()]
    return Reference(
        axes=dict(zip(axes, grid, strict=True)),
        values=dict(zip(values, fields, strict=True)),
        error_estimate=error_estimate,
        method=method or f"read from {path.name}",
        source=source,
        units=units or {},
    )


def _check_arguments(axes, values, order, units) -> None:
    for what, given, example in (
        ("axes", axes, '{"t": "t", "x": "x"}'),
        ("values", values, '{"u": "usol"}'),
    ):
        if not isinstance(given, Mapping) or not given:
            raise TypeError(f"{what} must map names to those in the file, as {example}: {given!r}")
    if order is not None and sorted(order) != sorted(axes):
        raise ValueError(f"order must name the axes {tuple(axes)}, each once, got {order!r}")
    if unknown := set(units or ()) - {*axes, *values}:
        raise ValueError(f"units are given for {sorted(unknown)}: known are {[*axes, *values]}")


def _read_mat(content: bytes, wanted: list[str], file: str) -> dict[str, np.ndarray]:
    if HDF5 in (content[:8], content[512:520]):
        raise ValueError(
            f"{file} is a MATLAB file of version 7.3 (HDF5), which is not read here: in MATLAB "
            f"load it and save('{file}', '-v7'), or read it with h5py and build a "
            "pinnkit.Reference"
        )
    try:
        arrays = loadmat(io.BytesIO(content))
    except Exception as error:  # SciPy, zlib and struct each have their own
        raise ValueError(_broken(file, "MATLAB", error)) from error
    there = [name for name in arrays if not name.startswith("__")]
    _check_there(wanted, there, file)
    return {name: _numbers(arrays[name], name, file) for name in wanted}


def _read_npz(content: bytes, wanted: list[str], file: str) -> dict[str, np.ndarray]:
    try:
        arrays = np.load(io.BytesIO(content), allow_pickle=False)
        there = list(arrays.files)
    except Exception as error:  # zipfile and NumPy each have their own
        raise ValueError(_broken(file, ".npz", error)) from error
    _check_there(wanted, there, file)
    found = {}
    for name in wanted:
        try:
            found[name] = arrays[name]
        except Exception as error:
            if "allow_pickle" in str(error):
                raise ValueError(
                    f"'{name}' in {file} holds Python objects, which may run code and are not "
                    "read: save it as an array of floats"
                ) from error
            raise ValueError(_broken(file, ".npz", error)) from error
    return {name: _numbers(array, name, file) for name, array in found.items()}


def _broken(file: str, kind: str, error: Exception) -> str:
    return (
        f"{file} is not a whole {kind} file ({type(error).__name__}: {error}): it may have been "
        "cut off; copy or download it again"
    )


def _check_there(wanted: list[str], there: list[str], file: str) -> None:
    missing = [name for name in wanted if name not in there]
    if missing:
        more = f" and {len(there) - SHOWN} more" if len(there) > SHOWN else ""
        raise ValueError(f"{file} has no {missing}: there are {there[:SHOWN]}{more}")


def _numbers(array, name: str, file: str) -> np.ndarray:
    kind = getattr(getattr(array, "dtype", None), "kind", "O")
    if not isinstance(array, np.ndarray):
        reason, advice = f"a {type(array).__name__}", "a full array"
    elif kind == "c":
        reason, advice = "complex", "its real and its imaginary part as two fields"
    elif kind in "US":
        reason, advice = "text", "numbers"
    elif kind not in "iuf":
        reason, advice = f"of type {array.dtype}", "an array of floats"
    else:
        return array.astype(np.float64)
    raise ValueError(f"'{name}' in {file} is {reason}: save {advice}")


def _flat(array: np.ndarray, name: str, file: str) -> np.ndarray:
    """An axis; MATLAB keeps it as a row or a column."""
    if array.size != max(array.shape, default=0):
        raise ValueError(
            f"'{name}' in {file} has shape {array.shape}, expected one axis: of a mesh, save "
            "only the points along one edge"
        )
    return array.ravel()


def _ordered(array, name: str, file: str, lengths: dict[str, int], order) -> np.ndarray:
    """Values with their axes in the order of the coordinates."""
    array = np.squeeze(array)
    expected = tuple(lengths[c] for c in order)
    if array.shape != expected:
        fitting = [
            p
            for p in itertools.permutations(lengths)
            if tuple(lengths[c] for c in p) == array.shape
        ]
        advice = " or ".join(f"order={p}" for p in fitting)
        raise ValueError(
            f"'{name}' in {file} has shape {array.shape}, but {order} have the lengths {expected}"
            + (f": pass {advice}" if fitting else ", and no order of the axes fits")
        )
    return array.transpose([order.index(c) for c in lengths])


def _from_table(content: bytes, wanted: list[str], file: str, n_axes: int):
    columns, lines = _read_csv(content, wanted, file)
    for name, column in columns.items():
        bad = np.flatnonzero(~np.isfinite(column))
        if len(bad):
            raise ValueError(
                f"{len(bad)} values of '{name}' in {file} are not finite, the first in line "
                f"{lines[bad[0]]}"
            )
    names = wanted[:n_axes]
    axes, indices = zip(*(np.unique(columns[n], return_inverse=True) for n in names), strict=True)
    for name, axis in zip(names, axes, strict=True):
        near = np.flatnonzero(np.diff(axis) < 1e-9 * (axis[-1] - axis[0]))
        if len(near):
            a, b = axis[near[0] : near[0] + 2]
            raise ValueError(
                f"{file} has '{name}' = {a!r} and {b!r}, which differ by rounding only: write "
                "the same digits in every row of one grid line"
            )
    shape = tuple(map(len, axes))
    if math.prod(shape) > np.iinfo(np.int64).max:
        raise ValueError(f"the rows of {file} are no grid: put them on one by interpolation")
    position = np.ravel_multi_index(indices, shape)
    rows = np.argsort(position, kind="stable")
    ordered = position[rows]

    def place(k: int) -> str:
        where = zip(names, axes, np.unravel_index(k, shape), strict=True)
        return ", ".join(f"{n} = {a[i]:g}" for n, a, i in where)

    twice = np.flatnonzero(np.diff(ordered) == 0)
    if len(twice):
        first, second = (lines[rows[twice[0] + i]] for i in (0, 1))
        raise ValueError(
            f"{file} has the point {place(ordered[twice[0]])} twice, in lines {first} and "
            f"{second} ({len(twice)} repeated rows in all)"
        )
    missing = math.prod(shape) - len(ordered)
    if missing:
        gaps = np.flatnonzero(ordered != np.arange(len(ordered)))
        first = gaps[0] if len(gaps) else len(ordered)
        size = " x ".join(map(str, shape))
        raise ValueError(
            f"{file} has gaps: {missing} of the {size} points of its grid are missing, the first "
            f"at {place(first)}. Complete it, or put scattered points on a grid by interpolation"
        )
    return list(axes), [columns[n][rows].reshape(shape) for n in wanted[n_axes:]]


def _read_csv(content: bytes, wanted: list[str], file: str):
    """The wanted columns, and the line of each of their entries."""
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig")))
        header = [name.strip() for name in next(reader, [])]
        rows = [(reader.line_num, row) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{file} is not a text of comma-separated values: {error}") from error
    if len(header) == 1 and any(mark in header[0] for mark in ";\t "):
        raise ValueError(
            f"{file} has no commas in its first row, {header[0]!r}: separate by commas"
        )
    if header and all(map(_is_number, header)):
        raise ValueError(f"the first row of {file} must hold the names of its columns: {header}")
    _check_there(wanted, header, file)
    for line, row in rows:
        if len(row) != len(header):
            raise ValueError(
                f"line {line} of {file} has {len(row)} entries, expected {len(header)}: the file "
                "may have been cut off"
            )
    columns = {}
    for name in wanted:
        i = header.index(name)
        texts = [row[i] for _, row in rows]
        try:
            columns[name] = np.array(texts, dtype=np.float64)
        except ValueError:
            k = next(k for k, text in enumerate(texts) if not _is_number(text))
            raise ValueError(
                f"line {rows[k][0]} of {file} has {name} = {texts[k]!r}, which is no number"
            ) from None
    if not rows:
        raise ValueError(f"{file} has no rows below its names")
    return columns, [line for line, _ in rows]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
