"""Curvature without matrices: Hessian products, spectra, Kronecker factors, preconditioners."""

from pinnkit.hessian.closeness import Closeness, closeness
from pinnkit.hessian.density import SpectralDensity, spectral_density
from pinnkit.hessian.kronecker import (
    KroneckerProduct,
    gauss_newton_block,
    kronecker_distance,
    kronecker_factors,
    layer_jacobian,
    nearest_kronecker,
)
from pinnkit.hessian.lanczos import Lanczos, Spectrum, lanczos, spectrum
from pinnkit.hessian.objective import Objective, objective
from pinnkit.hessian.products import gauss_newton_product, hessian_product

__all__ = [
    "Closeness",
    "KroneckerProduct",
    "Lanczos",
    "Objective",
    "SpectralDensity",
    "Spectrum",
    "closeness",
    "gauss_newton_block",
    "gauss_newton_product",
    "hessian_product",
    "kronecker_distance",
    "kronecker_factors",
    "lanczos",
    "layer_jacobian",
    "nearest_kronecker",
    "objective",
    "spectral_density",
    "spectrum",
]
