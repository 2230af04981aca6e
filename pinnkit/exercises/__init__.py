"""Exercises of the notebooks: graduated hints and checks that say what is wrong."""

from pinnkit.exercises._exercise import Exercise
from pinnkit.exercises.alignment_score import mean_cosine, score_from_pairs
from pinnkit.exercises.first_pinn import advection_diffusion, hard_initial_condition
from pinnkit.exercises.true_reference import (
    error_from_two_solutions,
    honest_claim,
    observed_order,
)
from pinnkit.exercises.two_losses import newton_step, stable_rate

__all__ = [
    "Exercise",
    "advection_diffusion",
    "error_from_two_solutions",
    "hard_initial_condition",
    "honest_claim",
    "mean_cosine",
    "newton_step",
    "observed_order",
    "score_from_pairs",
    "stable_rate",
]
