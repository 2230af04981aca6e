"""Exercises of the notebooks: graduated hints and checks that say what is wrong."""

from pinnkit.exercises._exercise import Exercise
from pinnkit.exercises.first_pinn import advection_diffusion, hard_initial_condition
from pinnkit.exercises.true_reference import (
    error_from_two_solutions,
    honest_claim,
    observed_order,
)

__all__ = [
    "Exercise",
    "advection_diffusion",
    "error_from_two_solutions",
    "hard_initial_condition",
    "honest_claim",
    "observed_order",
]
