"""What is installed and what it runs on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

import jax

PACKAGES = ("pinnkit", "jax", "flax", "optax", "jupyterlab", "ipywidgets")


class About(dict):
    """Facts by name, printed one a line."""

    def __repr__(self) -> str:
        width = max(map(len, self))
        return "\n".join(f"{name:<{width}}  {fact}" for name, fact in self.items())


def about() -> About:
    """Versions of the packages that matter, the device JAX found, and the default precision."""
    found = {name: _version(name) for name in PACKAGES}
    devices = jax.devices()
    kinds = ", ".join(sorted({d.device_kind for d in devices}))
    return About(
        {"python": platform.python_version()}
        | found
        | {
            "device": f"{len(devices)} x {jax.default_backend()} ({kinds})",
            "cores": str(os.cpu_count()),
        }
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except ImportError:
        return "not installed"
