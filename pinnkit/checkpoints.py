"""Checkpoints of a run in progress: atomic, complete, checked, and without code in them.

A checkpoint is a sealed folder `step-N` with the state (parameters, optimizer, random key,
step), the history and a description of the run. It is written under another name, forced to
the disk and then renamed, so a run that is killed at any moment, or a machine that loses its
power, leaves the checkpoint before it. One that was damaged afterwards is passed over.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import warnings
from pathlib import Path

import jax
import numpy as np
from filelock import FileLock, Timeout
from flax import nnx

from pinnkit import sealed
from pinnkit.description import check_same, describe, plain
from pinnkit.history import History
from pinnkit.hosts import is_first
from pinnkit.problems import Problem
from pinnkit.storage import from_numpy, sync_folder, to_numpy
from pinnkit.training_step import TrainingState

FORMAT = 2
"""Of the training state; that of a run's own file is `pinnkit.description.FORMAT`."""
KEPT = 2
NAMES = {
    "params": "network",
    "key": "random number generator",
    "points": "set of points",
    "weights": "set of loss terms",
}
OTHER_FOLDER = "use another folder, or remove this one to start afresh"


class Store:
    """The checkpoints of one run in one folder.

    Where several processes train together, all of them read, and the first one writes.

    Args:
        folder: is created if need be.
        problem: what is solved.
        network: as it is before training; what is not trained must be the same when resumed.
        settings: everything else by name on which the course of training depends, such as the
            seed; a checkpoint written under others is refused.

    Raises:
        OSError: the folder cannot be written, or another process trains in it.
    """

    def __init__(self, folder, problem: Problem, network: nnx.Module, settings=None):
        self._about = describe(problem, network) | {"format": FORMAT}
        self._about["network"] = {
            "architecture": self._about["network"],
            "constants": _constants(network),
        }
        if settings is not None:
            self._about["setting"] = plain(settings)
        self._program, self._devices = None, 1
        self._failing = False
        self._folder = Path(folder).expanduser().absolute()
        self._lock = None
        if not is_first():
            return
        _check_writable(self._folder)
        self._lock = _lock(self._folder)
        for leftover in self._folder.glob(".saving-*"):
            shutil.rmtree(leftover, ignore_errors=True)

    @classmethod
    def open(cls, folder, problem: Problem, network: nnx.Module, settings=None) -> Store | None:
        """A store in `folder`, or None if no folder is given."""
        return None if folder is None else cls(folder, problem, network, settings)

    @property
    def latest(self) -> int | None:
        """The step of the newest checkpoint."""
        return max(self._steps(), default=None)

    def save(self, state: TrainingState, history: History) -> None:
        """Write a checkpoint; a full or read-only disk is a warning, training goes on."""
        step = int(state.step)
        if not is_first() or step in self._steps():
            return
        temporary = self._folder / f".saving-{step}-{secrets.token_hex(4)}"
        run = {"about": self._about, "program": self._program, "history": history.to_dict()}
        run["devices"] = self._devices
        try:
            sealed.write(temporary, _on_host(_by_path(state)), run)
            temporary.rename(self._path(step))
            sync_folder(self._folder)
        except Exception as error:
            if not self._failing:
                warnings.warn(
                    f"no checkpoint could be saved at step {step} in {self._folder}: "
                    f"{_brief(error)}. Training goes on and will try again: free some space, or "
                    "keep the result elsewhere with run.save(path)",
                    RuntimeWarning,
                    stacklevel=2,
                )
            self._failing = True
            return
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self._failing = False
        for old in self._steps()[:-KEPT]:
            shutil.rmtree(self._path(old), ignore_errors=True)

    def restore(self, like: TrainingState) -> tuple[TrainingState, History]:
        """The newest whole checkpoint, in the structure of `like`.

        Newer ones that are damaged are renamed and a warning says so.

        Raises:
            ValueError: it belongs to another problem, network, optimizer, setting or format,
                or no checkpoint is whole.
        """
        damaged = {}
        leaves = _by_path(like)
        for step in reversed(self._steps()):
            path = self._path(step)
            try:
                arrays, run = sealed.read(path)
                about, history = dict(run["about"]), History(run["history"])
            except Exception as error:
                damaged[step] = error
                continue
            check_same(about, self._about, path, OTHER_FOLDER)
            _check_layout(_layout(arrays), _layout(_on_host(leaves)), path)
            self._set_aside(damaged, step)
            self._program, self._devices = run["program"], run.get("devices", 1)
            restored = [from_numpy(arrays[name], leaf) for name, leaf in leaves.items()]
            return jax.tree.unflatten(jax.tree.structure(like), restored), history
        raise ValueError(
            f"no checkpoint in {self._folder} can be read: "
            + ", ".join(f"step {n} is damaged ({_brief(e)})" for n, e in damaged.items())
            + f". Nothing was changed: {OTHER_FOLDER}"
        )

    def check_program(self, program: str, devices: int = 1) -> None:
        """Warn if the training step differs from the one that wrote the restored checkpoint.

        Args:
            program: the lowered step as text. It tells, too, what no setting names: a learning
                rate inside the optimizer, a residual that was edited, another version of JAX.
            devices: their number. Another one is meant, and is another program.
        """
        digest = hashlib.sha256(program.encode()).hexdigest()
        if self._program not in (None, digest) and devices == self._devices:
            warnings.warn(
                f"training continues from {self._folder} with other steps than it began with: "
                "the optimizer's options, the equation, the device or the version of JAX have "
                f"changed. If that is not wanted, {OTHER_FOLDER}",
                RuntimeWarning,
                stacklevel=2,
            )
        self._program, self._devices = digest, devices

    def close(self) -> None:
        """Let other processes train in the folder."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _path(self, step: int) -> Path:
        return self._folder / f"step-{step}"

    def _steps(self) -> list[int]:
        names = (p.name.removeprefix("step-") for p in self._folder.glob("step-*"))
        return sorted(int(n) for n in names if n.isdecimal())

    def _set_aside(self, damaged: dict[int, Exception], whole: int) -> None:
        if not is_first():
            return
        for step, error in damaged.items():
            aside = self._folder / f"damaged-{step}"
            shutil.rmtree(aside, ignore_errors=True)
            self._path(step).rename(aside)
            warnings.warn(
                f"the checkpoint of step {step} in {self._folder} is damaged ({_brief(error)}) and "
                f"was renamed to {aside.name}: training continues from step {whole}",
                RuntimeWarning,
                stacklevel=3,
            )


def _by_path(state: TrainingState) -> dict[str, jax.Array]:
    """The arrays of a state by their path in it."""
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def _on_host(leaves: dict[str, jax.Array]) -> dict[str, np.ndarray]:
    return {name: to_numpy(leaf) for name, leaf in leaves.items()}


def _layout(arrays: dict[str, np.ndarray]) -> dict[str, str]:
    return {name: f"{array.dtype}{list(array.shape)}" for name, array in arrays.items()}


def _check_layout(found: dict[str, str], expected: dict[str, str], path: Path) -> None:
    for part in ("params", "key", "optimizer", "points", "weights"):
        there, here = (
            {n: kind for n, kind in layout.items() if n.split("/")[0] == part}
            for layout in (found, expected)
        )
        what = NAMES.get(part, part)
        check_same({"format": 0, what: there}, {"format": 0, what: here}, path, OTHER_FOLDER)


def _constants(network: nnx.Module) -> list[str]:
    """Checksums of the arrays that belong to a network but are not trained."""
    _, _, rest = nnx.split(network, nnx.Param, ...)
    return [plain(to_numpy(leaf)) for leaf in jax.tree.leaves(rest)]


def _brief(error: Exception, length: int = 200) -> str:
    text = str(error).partition("\n")[0]
    return text if len(text) <= length else f"{text[:length]}..."


def _lock(folder: Path) -> FileLock | None:
    """The lock of the folder, or None where the file system knows none."""
    lock = FileLock(folder / ".lock", timeout=0, is_singleton=True, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise BlockingIOError(
            f"another process trains in {folder}: wait for it, stop it (a notebook's kernel: "
            "shut it down), or choose another folder"
        ) from None
    except (OSError, NotImplementedError):
        return None
    return lock


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{np.random.default_rng().integers(1 << 62):x}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise OSError(
            f"cannot write checkpoints to {folder}: {error}. Choose a folder you may write to"
        ) from error
