"""Interactive figures: each computes apart from its display and has a static form."""

from pinnkit.widgets._explorer import Explorer
from pinnkit.widgets.conflict_explorer import ConflictExplorer
from pinnkit.widgets.preconditioner_explorer import PreconditionerExplorer
from pinnkit.widgets.residual_explorer import ResidualExplorer
from pinnkit.widgets.resolution_explorer import ResolutionExplorer

__all__ = [
    "ConflictExplorer",
    "Explorer",
    "PreconditionerExplorer",
    "ResidualExplorer",
    "ResolutionExplorer",
]
