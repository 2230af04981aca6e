"""Benchmark problems, one class a file; `Problem` and `Condition` to define your own."""

from pinnkit.problems._base import Condition, Problem
from pinnkit.problems.burgers import Burgers
from pinnkit.problems.wave import Wave

__all__ = ["Burgers", "Condition", "Problem", "Wave"]
