"""Trusted solutions, each with an estimate of its own error."""

from pinnkit.references._reference import Reference
from pinnkit.references.allen_cahn import allen_cahn
from pinnkit.references.burgers import burgers
from pinnkit.references.korteweg_de_vries import korteweg_de_vries
from pinnkit.references.kuramoto_sivashinsky import kuramoto_sivashinsky
from pinnkit.references.wave import wave

__all__ = [
    "Reference",
    "allen_cahn",
    "burgers",
    "korteweg_de_vries",
    "kuramoto_sivashinsky",
    "wave",
]
