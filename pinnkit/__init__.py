"""pinnkit: why physics-informed networks train badly, and how second-order methods mend it."""

__version__ = "0.1.0"

from pinnkit import problems
from pinnkit.about import about
from pinnkit.alignment import (
    alignment_by_layer,
    alignment_score,
    interference_matrix,
    orthogonal_score,
)
from pinnkit.derivatives import Field, along, laplacian, partials
from pinnkit.fit import fit
from pinnkit.networks import network
from pinnkit.optimizers.gauss_newton import SumOfSquares, gauss_newton
from pinnkit.optimizers.self_scaled_broyden import self_scaled_broyden
from pinnkit.optimizers.soap import soap
from pinnkit.references import Reference
from pinnkit.run import Run, load, relative_error
from pinnkit.sampling import ResidualSampler, UniformSampler
from pinnkit.solve import preset_from_environment, recipe, solve
from pinnkit.weighting import CausalWeights

__all__ = [
    "CausalWeights",
    "Field",
    "Reference",
    "ResidualSampler",
    "Run",
    "SumOfSquares",
    "UniformSampler",
    "about",
    "alignment_by_layer",
    "alignment_score",
    "along",
    "fit",
    "gauss_newton",
    "interference_matrix",
    "laplacian",
    "load",
    "network",
    "orthogonal_score",
    "partials",
    "preset_from_environment",
    "problems",
    "recipe",
    "relative_error",
    "self_scaled_broyden",
    "soap",
    "solve",
]
