"""Checkpoints of a run in progress: atomic, complete, and without code in them.

A checkpoint holds parameters, optimizer state, random key, step and history. It is written by
orbax into a temporary folder that gets its final name only once it is whole, so a run killed at
any moment finds the last whole one.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp
from flax import nnx

from pinnkit.description import check_same, describe
from pinnkit.history import History
from pinnkit.problems import Problem
from pinnkit.training_step import TrainingState

KEPT = 2

logging.getLogger("absl").setLevel(logging.ERROR)


class Store:
    """The checkpoints of one run in one folder.

    Raises:
        ValueError: the folder holds checkpoints of another problem, network or format.
        OSError: the folder cannot be created or written.
    """

    def __init__(self, folder: Path, problem: Problem, network: nnx.Module):
        self._about = describe(problem, network)
        folder = Path(folder).expanduser().absolute()
        _check_writable(folder)
        self._folder = folder
        options = ocp.CheckpointManagerOptions(
            max_to_keep=KEPT, enable_async_checkpointing=False, cleanup_tmp_directories=True
        )
        self._manager = ocp.CheckpointManager(folder, options=options)
        if self.latest is not None:
            check_same(self._read("about"), self._about, folder)

    @classmethod
    def open(cls, folder, problem: Problem, network: nnx.Module) -> Store | None:
        """A store in `folder`, or None if no folder is given."""
        return None if folder is None else cls(folder, problem, network)

    @property
    def latest(self) -> int | None:
        """The step of the newest whole checkpoint."""
        return self._manager.latest_step()

    def save(self, state: TrainingState, history: History) -> None:
        """Write a checkpoint; a full or read-only disk is a warning, training goes on."""
        step = int(state.step)
        if step == self.latest:
            return
        try:
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(_storable(state)),
                    history=ocp.args.JsonSave(history.to_dict()),
                    about=ocp.args.JsonSave(self._about),
                ),
            )
        except (OSError, ValueError) as error:
            warnings.warn(
                f"no checkpoint was saved at step {step} in {self._folder}: {error}. Training goes "
                "on; free some space or choose another folder",
                RuntimeWarning,
                stacklevel=2,
            )

    def restore(self, like: TrainingState) -> tuple[TrainingState, History]:
        """The newest checkpoint, in the structure of `like`."""
        target = jax.tree.map(ocp.utils.to_shape_dtype_struct, _storable(like))
        try:
            stored = self._manager.restore(
                self.latest, args=ocp.args.Composite(state=ocp.args.StandardRestore(target))
            )["state"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"the checkpoint in {self._folder} does not fit this optimizer or network: "
                f"{error}. Use the same optimizer, or another folder"
            ) from error
        stored = TrainingState(**stored)
        state = stored._replace(key=jax.random.wrap_key_data(stored.key))
        return state, History(self._read("history"))

    def close(self) -> None:
        self._manager.close()

    def _read(self, item: str):
        restored = self._manager.restore(
            self.latest, args=ocp.args.Composite(**{item: ocp.args.JsonRestore()})
        )
        return restored[item]


def _storable(state: TrainingState) -> dict:
    return state._replace(key=jax.random.key_data(state.key))._asdict()


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
