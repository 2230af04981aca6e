"""A folder of arrays and data under a seal: the checksum of every file in it.

The arrays are written by orbax, the data as JSON. A folder whose seal is broken is not opened:
what a torn file makes of a reader is hard to foresee.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from pinnkit.storage import sync_folder

ROOM = 100_000
"""Bytes that a folder takes beside its arrays."""


def write(folder: Path, arrays: Mapping[str, np.ndarray], data: Any) -> None:
    """Write a sealed folder and force it to the disk.

    Args:
        folder: must not exist.
        arrays: by name.
        data: JSON-serializable.

    Raises:
        OSError, ValueError: it could not be written; what is there then must be removed.
    """
    folder.mkdir(parents=True)
    _check_space(folder, sum(array.nbytes for array in arrays.values()))
    with _quiet(), _orbax() as orbax:
        orbax.save(folder / "arrays", args=ocp.args.StandardSave(dict(arrays)))
    (folder / "data.json").write_text(json.dumps(data))
    (folder / "seal.json").write_text(json.dumps(_checksums(folder)))
    for path in (*folder.rglob("*"), folder):
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())


def read(folder: Path) -> tuple[dict[str, np.ndarray], Any]:
    """Arrays and data of a folder whose seal is unbroken.

    Raises:
        OSError, ValueError: a file is missing, or is not as it was written.
    """
    expected, found = json.loads((folder / "seal.json").read_text()), _checksums(folder)
    if found != expected:
        wrong = sorted(n for n in {*found, *expected} if found.get(n) != expected.get(n))
        raise ValueError(f"{wrong[0]} is not as it was written")
    with _quiet(), _orbax() as orbax:
        arrays = orbax.restore(folder / "arrays", args=ocp.args.StandardRestore())
    return dict(arrays), json.loads((folder / "data.json").read_text())


def _orbax() -> ocp.Checkpointer:
    """One that waits for no other process."""
    only = jax.process_index()
    options = ocp.options.MultiprocessingOptions(
        primary_host=only, active_processes={only}, barrier_sync_key_prefix=f"process_{only}"
    )
    handler = ocp.StandardCheckpointHandler(multiprocessing_options=options)
    return ocp.Checkpointer(handler, multiprocessing_options=options)


def _check_space(folder: Path, size: int) -> None:
    """Orbax, too, says so when the disk is full, but at great length."""
    if shutil.disk_usage(folder).free < size + ROOM:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _checksums(folder: Path) -> dict[str, str]:
    sums = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "seal.json"):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        sums[path.relative_to(folder).as_posix()] = digest
    return sums


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Orbax reports through absl what concerns its developers."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
