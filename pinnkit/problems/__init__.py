"""Benchmark problems, one class a file; `Problem` and `Condition` to define your own."""

from pinnkit.problems._base import Condition, Problem, starts_from
from pinnkit.problems.allen_cahn import AllenCahn
from pinnkit.problems.burgers import Burgers
from pinnkit.problems.korteweg_de_vries import KortewegDeVries
from pinnkit.problems.kuramoto_sivashinsky import KuramotoSivashinsky
from pinnkit.problems.wave import Wave

BENCHMARKS = (
    "Wave",
    "Burgers",
    "AllenCahn",
    "KortewegDeVries",
    "KuramotoSivashinsky",
)
"""The problems of the course, in its order."""

__all__ = [
    "BENCHMARKS",
    "AllenCahn",
    "Burgers",
    "Condition",
    "KortewegDeVries",
    "KuramotoSivashinsky",
    "Problem",
    "Wave",
    "starts_from",
]
