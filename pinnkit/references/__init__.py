"""Trusted solutions, each with an estimate of its own error."""

from pinnkit.references._files import load
from pinnkit.references._reference import Comparison, Reference
from pinnkit.references.allen_cahn import allen_cahn
from pinnkit.references.burgers import burgers
from pinnkit.references.ginzburg_landau import ginzburg_landau
from pinnkit.references.gray_scott import gray_scott
from pinnkit.references.kolmogorov_flow import kolmogorov_flow
from pinnkit.references.korteweg_de_vries import korteweg_de_vries
from pinnkit.references.kuramoto_sivashinsky import kuramoto_sivashinsky
from pinnkit.references.lid_driven_cavity import lid_driven_cavity
from pinnkit.references.rayleigh_taylor import rayleigh_taylor
from pinnkit.references.wave import wave

__all__ = [
    "Comparison",
    "Reference",
    "allen_cahn",
    "burgers",
    "ginzburg_landau",
    "gray_scott",
    "kolmogorov_flow",
    "korteweg_de_vries",
    "kuramoto_sivashinsky",
    "lid_driven_cavity",
    "load",
    "rayleigh_taylor",
    "wave",
]
