"""Exercises of the notebooks: graduated hints and checks that say what is wrong."""

from pinnkit.exercises._exercise import Exercise
from pinnkit.exercises.first_pinn import advection_diffusion, hard_initial_condition

__all__ = ["Exercise", "advection_diffusion", "hard_initial_condition"]
