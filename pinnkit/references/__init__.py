"""Trusted solutions, each with an estimate of its own error."""

from pinnkit.references._reference import Reference
from pinnkit.references.burgers import burgers
from pinnkit.references.wave import wave

__all__ = ["Reference", "burgers", "wave"]
