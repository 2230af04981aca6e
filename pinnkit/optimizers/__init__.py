"""Optimizers as optax transformations; each file can be lifted out and used alone."""

from pinnkit.optimizers.soap import ScaleBySoapState, precondition, scale_by_soap, soap, soap_state

__all__ = ["ScaleBySoapState", "precondition", "scale_by_soap", "soap", "soap_state"]
