"""Benchmark problems, one class a file; `Problem` and `Condition` to define your own."""

from pinnkit.problems._base import Problem
from pinnkit.problems._condition import Condition, starts_from
from pinnkit.problems.allen_cahn import AllenCahn
from pinnkit.problems.burgers import Burgers
from pinnkit.problems.ginzburg_landau import GinzburgLandau
from pinnkit.problems.gray_scott import GrayScott
from pinnkit.problems.kolmogorov_flow import KolmogorovFlow
from pinnkit.problems.korteweg_de_vries import KortewegDeVries
from pinnkit.problems.kuramoto_sivashinsky import KuramotoSivashinsky
from pinnkit.problems.lid_driven_cavity import LidDrivenCavity
from pinnkit.problems.rayleigh_taylor import RayleighTaylor
from pinnkit.problems.wave import Wave

BENCHMARKS = (
    "Wave",
    "Burgers",
    "AllenCahn",
    "KortewegDeVries",
    "KuramotoSivashinsky",
    "GrayScott",
    "GinzburgLandau",
    "LidDrivenCavity",
    "KolmogorovFlow",
    "RayleighTaylor",
)
"""The problems of the course, in its order."""

__all__ = [
    "BENCHMARKS",
    "AllenCahn",
    "Burgers",
    "Condition",
    "GinzburgLandau",
    "GrayScott",
    "KolmogorovFlow",
    "KortewegDeVries",
    "KuramotoSivashinsky",
    "LidDrivenCavity",
    "Problem",
    "RayleighTaylor",
    "Wave",
    "starts_from",
]
