"""pinnkit: why physics-informed networks train badly, and how second-order methods mend it."""

__version__ = "0.1.0"

from pinnkit import hessian, problems, streaming
from pinnkit.about import about
from pinnkit.alignment import (
    alignment_by_layer,
    alignment_score,
    interference_matrix,
    normalized_interference,
    orthogonal_score,
)
from pinnkit.balancing import AdaptiveWeights, GradientNormWeights, TangentKernelWeights
from pinnkit.continuation import fit_continuation
from pinnkit.derivatives import Field, along, laplacian, partials
from pinnkit.fit import fit
from pinnkit.networks import network
from pinnkit.optimizers.gauss_newton import SumOfSquares, gauss_newton
from pinnkit.optimizers.schedule_free import (
    evaluation_params,
    schedule_free_soap,
    schedule_free_soap_with_momentum,
)
from pinnkit.optimizers.self_scaled_broyden import self_scaled_broyden
from pinnkit.optimizers.soap import soap
from pinnkit.optimizers.surgery import conflict_free, pcgrad
from pinnkit.preconditioners import preconditioner
from pinnkit.references import Reference
from pinnkit.run import Run, load, relative_error
from pinnkit.sampling import QuadratureSampler, ResidualSampler, UniformSampler
from pinnkit.solve import preset_from_environment, recipe, solve
from pinnkit.weighting import CausalWeights
from pinnkit.windows import TimeWindow, fit_windows

__all__ = [
    "AdaptiveWeights",
    "CausalWeights",
    "Field",
    "GradientNormWeights",
    "QuadratureSampler",
    "Reference",
    "ResidualSampler",
    "Run",
    "SumOfSquares",
    "TangentKernelWeights",
    "TimeWindow",
    "UniformSampler",
    "about",
    "alignment_by_layer",
    "alignment_score",
    "along",
    "conflict_free",
    "evaluation_params",
    "fit",
    "fit_continuation",
    "fit_windows",
    "gauss_newton",
    "hessian",
    "interference_matrix",
    "laplacian",
    "load",
    "network",
    "normalized_interference",
    "orthogonal_score",
    "partials",
    "pcgrad",
    "preconditioner",
    "preset_from_environment",
    "problems",
    "recipe",
    "relative_error",
    "schedule_free_soap",
    "schedule_free_soap_with_momentum",
    "self_scaled_broyden",
    "soap",
    "solve",
    "streaming",
]
