"""The result of training: network, history, errors; saved to one file and loaded again."""

from __future__ import annotations

import hashlib
import io
import json
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from pinnkit.compilation import compile_once
from pinnkit.description import check_same, describe, plain, restore_network, restore_problem
from pinnkit.history import History
from pinnkit.precision import dtype_of, precision
from pinnkit.problems import Problem
from pinnkit.problems._checks import check_reference
from pinnkit.storage import from_numpy, replacing, to_numpy
from pinnkit.windowed_network import Windowed

EVALUATION_BATCH = 8192


class RelativeError(dict):
    """Relative L2 error by field, beside the error estimate of the reference.

    Attributes:
        reference: relative L2 error of the reference solution, by its own estimate; None if
            that is unknown.
    """

    def __init__(self, errors: Mapping[str, float], reference: float | None):
        super().__init__(errors)
        self.reference = reference

    def __repr__(self) -> str:
        errors = ", ".join(f"{name}: {value:.2e}" for name, value in self.items())
        own = "error unknown" if self.reference is None else f"{self.reference:.1e}"
        return f"{errors} (reference: {own})"


@dataclass
class Run:
    """A trained network and how it came about.

    Attributes:
        problem: what was solved.
        network: maps a point of shape (d,) to an array of shape (n_fields,).
        history: what was measured every few steps.
        status: how the training ended.
        failed: whether an error or a loss that is not finite ended it.
        steps: number of steps taken.
        seconds: wall time of training and monitoring.
        compile_seconds: wall time of compilation.
        seed: of the collocation points.
        device: where it ran.
    """

    problem: Problem
    network: nnx.Module
    history: History = field(default_factory=History)
    status: str = "not trained"
    failed: bool = False
    steps: int = 0
    seconds: float = 0.0
    compile_seconds: float = 0.0
    seed: int = 0
    device: str = ""

    def __repr__(self) -> str:
        last = f", {self.history.summary()}" if self.history else ""
        return f"Run({type(self.problem).__name__}: {self.status} in {self.seconds:.1f} s{last})"

    def predict(self, axes: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The fields on a grid.

        Args:
            axes: one 1-D array for each coordinate, in the order of `problem.coordinates`.

        Returns:
            Float64 arrays by field, with one axis for each coordinate.

        Raises:
            ValueError: a coordinate is missing or unknown, or an axis is not a 1-D array.
        """
        names = self.problem.coordinates
        if not isinstance(axes, Mapping) or set(axes) != set(names):
            got = tuple(axes) if isinstance(axes, Mapping) else type(axes).__name__
            raise ValueError(f"expected axes {names}, got {got}")
        arrays = [_axis(name, axes[name]) for name in names]
        grid = np.stack(np.meshgrid(*arrays, indexing="ij"), axis=-1)
        values = self._evaluate(grid.reshape(-1, len(names)))
        return {f: values[:, i].reshape(grid.shape[:-1]) for i, f in enumerate(self.problem.fields)}

    def _evaluate(self, points: np.ndarray) -> np.ndarray:
        parts = [(self.network, np.arange(len(points)))]
        if isinstance(self.network, Windowed):
            parts = self.network.parts(points)
        dtype = dtype_of(nnx.state(self.network))
        batches, programs = [], {}
        size = min(EVALUATION_BATCH, max(len(where) for _, where in parts))
        with precision(dtype):
            for network, where in parts:
                graph, state = nnx.split(network)
                for i in range(0, len(where), size):
                    chosen = where[i : i + size]
                    padding = (0, size - len(chosen)), (0, 0)
                    batch = jnp.asarray(np.pad(points[chosen], padding, "edge"), dtype)
                    if graph not in programs:
                        programs[graph], _ = compile_once(_at_points(graph), state, batch)
                    batches.append(np.asarray(programs[graph](state, batch))[: len(chosen)])
        in_parts = np.concatenate(batches).astype(np.float64)
        values = np.empty_like(in_parts)
        values[np.concatenate([where for _, where in parts])] = in_parts
        return values

    def relative_error(self) -> RelativeError:
        """Relative L2 error of each of `problem.observables` over the grid of the reference.

        Warns when an error is not at least three times the reference's own, or when that is
        unknown: then it may say nothing about the network.

        Raises:
            ValueError: the reference has other coordinates, in another order, or lacks a field.
        """
        reference = self.problem.reference()
        check_reference(self.problem, reference)
        observed = self.problem.observables
        truth = replace(reference, values=observed(reference.values))
        errors = truth.relative_error(observed(self.predict(reference.axes)))
        own = reference.error_estimate
        if own is None:
            warnings.warn(
                "the reference's own error is unknown: what is measured may be its error and "
                "not the network's. Compare it with a second one, see Reference.compare",
                stacklevel=2,
            )
        elif unresolved := [n for n, e in errors.items() if e < 3 * own]:
            warnings.warn(
                f"the error of {', '.join(unresolved)} is below three times the reference's own "
                f"({own:.1e}): it is not resolved",
                stacklevel=2,
            )
        return RelativeError(errors, reference.error_estimate)

    def save(self, path: str | Path) -> Path:
        """Write the run to one .npz file, atomically. It holds arrays and JSON, no code.

        Raises:
            OSError: the file cannot be written; an older file of that name is kept.
        """
        path = _file(path)
        meta = json.dumps(
            describe(self.problem, self.network)
            | {
                "history": self.history.to_dict(),
                "run": {name: plain(getattr(self, name)) for name in _PLAIN},
            }
        )
        arrays = {f"network/{i}": to_numpy(v) for i, v in enumerate(_arrays(self.network))}
        seal = _checksum(meta, arrays.values())
        try:
            with replacing(path) as file:
                np.savez_compressed(file, meta=np.array(meta), seal=np.array(seal), **arrays)
        except OSError as error:
            raise OSError(
                error.errno,
                f"the run was not saved to {path}: {error.strerror}. It is still in memory: "
                "choose a folder that has space and that you may write to",
            ) from error
        return path


_PLAIN = ("status", "failed", "steps", "seconds", "compile_seconds", "seed", "device")


def load(
    path: str | Path, *, problem: Problem | None = None, network: nnx.Module | None = None
) -> Run:
    """Read a run that `Run.save` wrote.

    Args:
        path: the .npz file.
        problem: needed if the problem is not one of pinnkit's.
        network: a module of the same structure, needed if `pinnkit.network` did not build it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a run, was damaged, or belongs to another problem or version.
    """
    path = _file(path)
    content = io.BytesIO(path.read_bytes())
    try:
        with np.load(content, allow_pickle=False) as file:
            text, seal = str(file["meta"]), str(file["seal"])
            arrays = [file[f"network/{i}"] for i in range(len(file.files) - 2)]
        meta = json.loads(text)
        history, run = History(meta["history"]), {name: meta["run"][name] for name in _PLAIN}
    except Exception as error:  # zipfile, zlib, json and NumPy each have their own
        raise ValueError(
            f"{path} is not a whole run saved by pinnkit: {error}. Train it again, or continue "
            "from its checkpoints"
        ) from error
    if seal != _checksum(text, arrays):
        raise ValueError(
            f"{path} was damaged after it was saved: its checksum is wrong. Train it again, or "
            "continue from its checkpoints"
        )
    problem = problem or restore_problem(meta["problem"])
    if network is None:
        network = restore_network(meta["network"], problem)
    check_same(meta, describe(problem, network), path, "load it with what it was saved with")
    graph, state = nnx.split(network)
    leaves, structure = jax.tree.flatten(state)
    here, there = ([np.shape(a) for a in each] for each in (map(to_numpy, leaves), arrays))
    if here != there:
        raise ValueError(
            f"{path} holds arrays of shapes {there}, the network has {here}: pass a network of "
            "the structure that was saved"
        )
    arrays = list(map(_typed, arrays, leaves))
    with precision(dtype_of(arrays)):
        state = list(map(from_numpy, arrays, leaves))
    network = nnx.merge(graph, jax.tree.unflatten(structure, state))
    return Run(problem, network, history, **run)


def joined(parts: Sequence[Run], column: str, **changes) -> Run:
    """Several runs, one after the other, as one: rows, steps and seconds are counted through.

    Args:
        parts: in the order of training; what one of them did not measure becomes nan.
        column: name of a new column of the history, the number of the run.
        changes: what is not that of the last run.
    """
    history, steps, seconds = History(), 0, 0.0
    unknown = dict.fromkeys((name for part in parts for name in part.history), math.nan)
    for k, part in enumerate(parts):
        columns = part.history.to_dict()
        for row in zip(*columns.values(), strict=True):
            named = unknown | dict(zip(columns, row, strict=True))
            named |= {"step": named["step"] + steps, "seconds": named["seconds"] + seconds}
            history.append(named | {column: k})
        steps, seconds = steps + part.steps, seconds + part.seconds
    return replace(
        parts[-1],
        history=history,
        steps=steps,
        seconds=seconds,
        compile_seconds=sum(part.compile_seconds for part in parts),
        **changes,
    )


def relative_error(run: Run) -> RelativeError:
    """The run's error and the reference's; see `Run.relative_error`."""
    return run.relative_error()


def _at_points(graph: nnx.GraphDef):
    def evaluate(state, points):
        return jax.vmap(lambda q: jnp.ravel(nnx.merge(graph, state)(q)))(points)

    return evaluate


def _axis(name: str, values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 1 or not values.size or values.dtype.kind not in "iuf":
        raise ValueError(
            f"axis '{name}' must be a 1-D array of one or more numbers, got {values.dtype} "
            f"of shape {values.shape}"
        )
    return values.astype(np.float64)


def _arrays(network: nnx.Module) -> list:
    return jax.tree.leaves(nnx.state(network))


def _typed(array: np.ndarray, like: jax.Array) -> np.ndarray:
    """Dtypes that NumPy does not know, such as bfloat16, return from a file as mere bytes."""
    return array.view(like.dtype) if array.dtype.kind == "V" else array


def _checksum(meta: str, arrays: Iterable[np.ndarray]) -> str:
    digest = hashlib.sha256(meta.encode())
    for array in arrays:
        digest.update(f"{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _file(path: str | Path) -> Path:
    """The path with the ending .npz; a dot in the name, as in nu0.01, begins no ending."""
    path = Path(path).expanduser()
    return path if path.suffix == ".npz" else path.with_name(f"{path.name}.npz")
