"""The result of training: network, history, errors; saved to one file and loaded again."""

from __future__ import annotations

import json
import os
import tempfile
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from pinnkit.description import check_same, describe, restore_network, restore_problem
from pinnkit.history import History
from pinnkit.precision import dtype_of, precision
from pinnkit.problems import Problem

EVALUATION_BATCH = 8192


class RelativeError(dict):
    """Relative L2 error by field, beside the error estimate of the reference.

    Attributes:
        reference: relative L2 error of the reference solution, by its own estimate.
    """

    def __init__(self, errors: Mapping[str, float], reference: float):
        super().__init__(errors)
        self.reference = reference

    def __repr__(self) -> str:
        errors = ", ".join(f"{name}: {value:.2e}" for name, value in self.items())
        return f"{errors} (reference: {self.reference:.1e})"


@dataclass
class Run:
    """A trained network and how it came about.

    Attributes:
        problem: what was solved.
        network: maps a point of shape (d,) to an array of shape (n_fields,).
        history: what was measured every few steps.
        status: how the training ended.
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
            ValueError: a coordinate is missing or unknown.
        """
        names = self.problem.coordinates
        if set(axes) != set(names):
            raise ValueError(f"expected axes {names}, got {tuple(axes)}")
        grid = np.stack(np.meshgrid(*[axes[c] for c in names], indexing="ij"), axis=-1)
        values = self._evaluate(grid.reshape(-1, len(names)))
        return {f: values[:, i].reshape(grid.shape[:-1]) for i, f in enumerate(self.problem.fields)}

    def _evaluate(self, points: np.ndarray) -> np.ndarray:
        graph, state = nnx.split(self.network)
        dtype = dtype_of(state)
        with precision(dtype):
            evaluate = jax.jit(
                lambda s, p: jax.vmap(lambda q: jnp.ravel(nnx.merge(graph, s)(q)))(p)
            )
            batches = [
                np.asarray(evaluate(state, jnp.asarray(points[i : i + EVALUATION_BATCH], dtype)))
                for i in range(0, len(points), EVALUATION_BATCH)
            ]
        return np.concatenate(batches).astype(np.float64)

    def relative_error(self) -> RelativeError:
        """Relative L2 error of each field over the whole grid of the reference.

        Warns when an error is not at least three times the reference's own: then it says
        nothing about the network.
        """
        reference = self.problem.reference()
        errors = reference.relative_error(self.predict(reference.axes))
        unresolved = [n for n, e in errors.items() if e < 3 * reference.error_estimate]
        if unresolved:
            warnings.warn(
                f"the error of {', '.join(unresolved)} is below three times the reference's own "
                f"({reference.error_estimate:.1e}): it is not resolved",
                stacklevel=2,
            )
        return RelativeError(errors, reference.error_estimate)

    def save(self, path: str | Path) -> Path:
        """Write the run to one .npz file, atomically. It holds arrays and JSON, no code.

        Raises:
            OSError: the file cannot be written; an older file of that name is kept.
        """
        path = Path(path).with_suffix(".npz")
        meta = describe(self.problem, self.network) | {
            "history": self.history.to_dict(),
            "run": {k: getattr(self, k) for k in _PLAIN},
        }
        arrays = {f"network/{i}": np.asarray(v) for i, v in enumerate(_arrays(self.network))}
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".saving-")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez_compressed(file, meta=np.array(json.dumps(meta)), **arrays)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return path


_PLAIN = ("status", "steps", "seconds", "compile_seconds", "seed", "device")


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
    path = Path(path).with_suffix(".npz")
    try:
        with np.load(path, allow_pickle=False) as file:
            meta = json.loads(str(file["meta"]))
            arrays = [file[f"network/{i}"] for i in range(len(file.files) - 1)]
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a whole run saved by pinnkit: {error}") from error
    problem = problem or restore_problem(meta["problem"])
    if network is None:
        network = restore_network(meta["network"], problem)
    check_same(meta, describe(problem, network), path)
    graph, state = nnx.split(network)
    leaves, structure = jax.tree.flatten(state)
    if [np.shape(a) for a in arrays] != [np.shape(leaf) for leaf in leaves]:
        raise ValueError(f"{path} holds arrays of other shapes than the network: {network}")
    with precision(dtype_of(arrays)):
        state = jax.tree.unflatten(structure, [jnp.asarray(a) for a in arrays])
    return Run(problem, nnx.merge(graph, state), History(meta["history"]), **meta["run"])


def relative_error(run: Run) -> RelativeError:
    """The run's error and the reference's; see `Run.relative_error`."""
    return run.relative_error()


def _arrays(network: nnx.Module) -> list:
    return jax.tree.leaves(nnx.state(network))
