"""What all files have in common: whole or absent, on the disk, and nothing but arrays in them."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import jax
import jax.numpy as jnp
import numpy as np


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new binary file that takes the name `path` once it is whole and on the disk.

    After an error an older file of that name is still there, and nothing else is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".saving-{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def to_numpy(leaf: jax.Array) -> np.ndarray:
    """A copy on the host; of a random key, its data."""
    return np.array(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def from_numpy(array: np.ndarray, like: jax.Array) -> jax.Array:
    """The inverse of `to_numpy` for a leaf of the kind of `like`."""
    if _is_key(like):
        return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(like))
    return jnp.asarray(array)


def _is_key(leaf) -> bool:
    return jnp.issubdtype(jnp.asarray(leaf).dtype, jax.dtypes.prng_key)
