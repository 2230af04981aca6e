"""What several processes that train one run must agree on (see `jax.distributed`).

With one process all of this does nothing. With several each works on its own devices, and a step in
which one of them does not take part would leave the others waiting. So they compare what they are
about to do, they share errors, and they stop together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

TEXT_BYTES = 1024


def several() -> bool:
    return jax.process_count() > 1


def is_first() -> bool:
    """Whether this process writes what is written once."""
    return jax.process_index() == 0


class SharedErrors:
    """Within this scope an error of one process is raised by all of them when it ends.

    The scope must not contain anything in which processes wait for each other.

    Raises:
        RuntimeError: another process failed.
    """

    def __enter__(self) -> SharedErrors:
        return self

    def __exit__(self, kind, error, _) -> None:
        if not several() or (error is not None and not isinstance(error, Exception)):
            return
        said = gather_texts("" if error is None else f"{kind.__name__}: {error}")
        failed = {k: text for k, text in enumerate(said) if text}
        if error is None and failed:
            first = min(failed)
            raise RuntimeError(
                f"process {first} of {len(said)} could not begin, so none does: {failed[first]}"
            )


def check_agreement(facts: Mapping[str, Any]) -> None:
    """Raise ValueError in every process if they are not about to do the same.

    Args:
        facts: what must be equal, JSON-serializable, by name.
    """
    if not several():
        return
    for name, fact in facts.items():
        text = json.dumps(fact, sort_keys=True)
        brief = text if len(text) <= 200 else hashlib.sha256(text.encode()).hexdigest()[:16]
        said = gather_texts(brief)
        if len(set(said)) > 1:
            by_host = ", ".join(f"process {k}: {value}" for k, value in enumerate(said))
            raise ValueError(
                f"the processes of this run differ in their {name} ({by_host}): start all of them "
                "with the same preset, arguments and versions"
            )


def agree(stop: bool, late: bool, steps: int) -> tuple[bool, bool, int]:
    """Whether any process is to stop, by hand or by the clock; the steps are the first's."""
    if not several():
        return stop, late, steps
    said = multihost_utils.process_allgather(np.array([stop, late, steps], np.int64))
    return bool(said[:, 0].any()), bool(said[:, 1].any()), int(said[0, 2])


def gather_texts(text: str) -> list[str]:
    """One text of each process, cut off after 1,024 bytes."""
    data = text.encode()[:TEXT_BYTES]
    padded = np.frombuffer(data.ljust(TEXT_BYTES, b"\0"), np.uint8)
    rows = np.asarray(multihost_utils.process_allgather(padded))
    return [row.tobytes().rstrip(b"\0").decode(errors="replace") for row in rows]
