"""A disk cache of references that trusts nothing it did not write whole.

Every file carries the version and parameters it was computed for and a checksum of its
arrays. A file that is broken, stale or unreadable is computed again. Files are written under a
temporary name and renamed, under a lock, so that processes that ask at once share one
computation. The folder is the user's cache folder, or the environment variable PINNKIT_CACHE.

The slow references come with the package, in files of the same form whose values are rounded to
integers; `python tools/references.py ship NAME` writes them.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from platformdirs import user_cache_dir

from pinnkit.references._reference import Reference
from pinnkit.storage import replacing

FORMAT = 2
LOCK_SECONDS = 3600
SHIPPED = Path(__file__).parent / "data"


class BrokenCache(ValueError):
    """A cache file that must not be used."""


def cache_folder() -> Path:
    """Where references are kept between sessions."""
    return Path(os.environ.get("PINNKIT_CACHE") or user_cache_dir("pinnkit", appauthor=False))


def cached(
    name: str, version: int, parameters: Mapping[str, Any], compute: Callable[[], Reference]
) -> Reference:
    """The stored reference, or a freshly computed one that is stored.

    Args:
        name: of the problem; part of the file name.
        version: raise it whenever the computation changes.
        parameters: JSON-serializable; everything the result depends on.
        compute: called when there is no usable file.

    Returns:
        The reference. If it cannot be stored (read-only folder, full disk) a warning says so.
    """
    asked = {"format": FORMAT, "name": name, "version": version, **parameters}
    request = json.dumps(asked, sort_keys=True)
    if (reference := _usable(path_in(SHIPPED, request), request)) is not None:
        return reference
    path = path_in(cache_folder(), request)
    with _lock(path):
        if (reference := _usable(path, request)) is not None:
            return reference
        reference = compute()
        try:
            write(path, request, reference)
        except OSError as problem:
            warnings.warn(
                f"the reference could not be kept in {path.parent} ({problem}); it will be "
                "computed again next time. Set PINNKIT_CACHE to a folder with space that you "
                "may write to",
                stacklevel=2,
            )
        return reference


def path_in(folder: Path, request: str) -> Path:
    """The file of a request in a folder of references."""
    digest = hashlib.sha256(request.encode()).hexdigest()[:16]
    return folder / f"{json.loads(request)['name']}-{digest}.npz"


def _usable(path: Path, request: str) -> Reference | None:
    if not path.exists():
        return None
    try:
        return read(path, request)
    except (BrokenCache, OSError) as problem:
        warnings.warn(
            f"the stored reference {path.name} cannot be used ({problem}): it is computed again",
            stacklevel=3,
        )
        return None


def read(path: Path, request: str) -> Reference:
    """Load a cache file.

    Raises:
        BrokenCache: it is not whole, was changed, or answers another request.
    """
    content = io.BytesIO(path.read_bytes())
    try:
        with np.load(content, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            payload = file["payload"].tobytes()
        request_there, checksum = header["request"], header["sha256"]
    except Exception as error:  # zipfile, zlib, json and NumPy each have their own
        raise BrokenCache(f"it is not a whole file: {error}") from error
    if request_there != request:
        raise BrokenCache("it was computed by another version or for other parameters")
    if checksum != hashlib.sha256(payload).hexdigest():
        raise BrokenCache("its checksum is wrong")
    try:
        with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
            return Reference(
                axes={n: arrays[f"axes/{n}"] for n in header["axes"]},
                values={n: _expand(arrays[f"values/{n}"], s) for n, s in header["values"].items()},
                **header["facts"],
            )
    except Exception as error:
        raise BrokenCache(f"it is no reference: {error}") from error


def write(path: Path, request: str, reference: Reference, rounding: float = 0.0) -> None:
    """Store a reference: all of it or, if that fails, nothing.

    Args:
        path: of the file.
        request: name, version and parameters, as `cached` writes them.
        reference: what is stored.
        rounding: if positive, values are rounded to multiples of this fraction of their root
            mean square, which lets them be compressed well.
    """
    buffer = io.BytesIO()
    sizes = {n: float(np.sqrt(np.mean(v**2))) for n, v in reference.values.items()}
    unit = {n: rounding * size for n, size in sizes.items()}
    np.savez_compressed(
        buffer,
        **{f"axes/{n}": a for n, a in reference.axes.items()},
        **{f"values/{n}": _compact(v, unit[n]) for n, v in reference.values.items()},
    )
    payload = buffer.getvalue()
    header = {
        "request": request,
        "sha256": hashlib.sha256(payload).hexdigest(),
        "axes": list(reference.axes),
        "values": unit,
        "facts": {
            "error_estimate": float(reference.error_estimate),
            "method": reference.method,
            "source": reference.source,
            "seconds": float(reference.seconds),
            "units": dict(reference.units),
        },
    }
    with replacing(path) as file:
        np.savez(
            file, header=np.array(json.dumps(header)), payload=np.frombuffer(payload, np.uint8)
        )


def _compact(values: np.ndarray, unit: float) -> np.ndarray:
    """Differences along the last axis of the values in integer multiples of the unit."""
    if not unit:
        return values
    steps = np.diff(np.rint(values / unit).astype(np.int64), axis=-1, prepend=0)
    smallest = np.promote_types(np.min_scalar_type(steps.min()), np.min_scalar_type(steps.max()))
    return steps.astype(smallest)


def _expand(stored: np.ndarray, unit: float) -> np.ndarray:
    return np.cumsum(stored, axis=-1, dtype=np.int64) * unit if unit else stored


def _lock(path: Path):
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(f"{path}.lock", timeout=LOCK_SECONDS).acquire()
    except (OSError, Timeout, NotImplementedError):
        return nullcontext()
