"""Optimizers as optax transformations; each file can be lifted out and used alone."""

from pinnkit.optimizers.schedule_free import (
    evaluation_params,
    schedule_free_soap,
    schedule_free_soap_with_momentum,
)
from pinnkit.optimizers.soap import ScaleBySoapState, precondition, scale_by_soap, soap, soap_state
from pinnkit.optimizers.stale_second_moment import with_stale_second_moment

__all__ = [
    "ScaleBySoapState",
    "evaluation_params",
    "precondition",
    "scale_by_soap",
    "schedule_free_soap",
    "schedule_free_soap_with_momentum",
    "soap",
    "soap_state",
    "with_stale_second_moment",
]
