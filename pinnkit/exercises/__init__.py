"""Exercises of the notebooks: graduated hints and checks that say what is wrong."""

from pinnkit.exercises._exercise import Exercise
from pinnkit.exercises.alignment_score import mean_cosine, score_from_pairs
from pinnkit.exercises.benchmarks import (
    error_without_seam,
    momentum_drift,
    ratio_at_equal_time,
    resolved_up_to,
)
from pinnkit.exercises.chaos import (
    causal_weights,
    equal_growth_edges,
    fastest_wave,
    growth_of_difference,
)
from pinnkit.exercises.closeness import condition_left, efficiency_of
from pinnkit.exercises.curvature import product_with_gauss_newton, product_with_hessian
from pinnkit.exercises.first_pinn import advection_diffusion, hard_initial_condition
from pinnkit.exercises.full_table import correlation_interval, median_ratio, rank_correlation
from pinnkit.exercises.kolmogorov_flow import (
    exact_cells,
    first_slope,
    speed_bound,
    unseen_drift,
)
from pinnkit.exercises.lid_driven_cavity import (
    corner_flow,
    energy_of_waves,
    reynolds_ladder,
    square_near_corner,
)
from pinnkit.exercises.machines import all_reduce_seconds, mean_gradient, scaling_efficiency
from pinnkit.exercises.newton import inter_step, part_of_step
from pinnkit.exercises.race import clearly_better, steps_within
from pinnkit.exercises.rayleigh_taylor import (
    energy_by_wave,
    flow_from_stream,
    height_of_heat,
    interface_growth,
)
from pinnkit.exercises.reaction_diffusion import (
    added_by_window,
    fed_state,
    saturated_oscillator,
    tail_amplitude,
)
from pinnkit.exercises.second_order import damped_step, damped_step_in_residuals
from pinnkit.exercises.shampoo import rotated_adam, shampoo_direction
from pinnkit.exercises.start_here import relative_l2, score_of_two
from pinnkit.exercises.surgery import gradient_norm_weights, project
from pinnkit.exercises.tangent_kernel import half_life, kernel_block
from pinnkit.exercises.true_reference import (
    error_from_two_solutions,
    honest_claim,
    observed_order,
)
from pinnkit.exercises.two_losses import newton_step, stable_rate

__all__ = [
    "Exercise",
    "added_by_window",
    "advection_diffusion",
    "all_reduce_seconds",
    "causal_weights",
    "clearly_better",
    "condition_left",
    "corner_flow",
    "correlation_interval",
    "damped_step",
    "damped_step_in_residuals",
    "efficiency_of",
    "energy_by_wave",
    "energy_of_waves",
    "equal_growth_edges",
    "error_from_two_solutions",
    "error_without_seam",
    "exact_cells",
    "fastest_wave",
    "fed_state",
    "first_slope",
    "flow_from_stream",
    "gradient_norm_weights",
    "growth_of_difference",
    "half_life",
    "hard_initial_condition",
    "height_of_heat",
    "honest_claim",
    "inter_step",
    "interface_growth",
    "kernel_block",
    "mean_cosine",
    "mean_gradient",
    "median_ratio",
    "momentum_drift",
    "newton_step",
    "observed_order",
    "part_of_step",
    "product_with_gauss_newton",
    "product_with_hessian",
    "project",
    "rank_correlation",
    "ratio_at_equal_time",
    "relative_l2",
    "resolved_up_to",
    "reynolds_ladder",
    "rotated_adam",
    "saturated_oscillator",
    "scaling_efficiency",
    "score_from_pairs",
    "score_of_two",
    "shampoo_direction",
    "speed_bound",
    "square_near_corner",
    "stable_rate",
    "steps_within",
    "tail_amplitude",
    "unseen_drift",
]
