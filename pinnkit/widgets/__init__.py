"""Interactive figures: each computes apart from its display and has a static form."""

from pinnkit.widgets._explorer import Explorer
from pinnkit.widgets.conflict_explorer import ConflictExplorer
from pinnkit.widgets.live_trainer import LiveRun, LiveTrainer
from pinnkit.widgets.preconditioner_explorer import PreconditionerExplorer
from pinnkit.widgets.residual_explorer import ResidualExplorer
from pinnkit.widgets.resolution_explorer import ResolutionExplorer
from pinnkit.widgets.spectrum_explorer import SpectrumExplorer

__all__ = [
    "ConflictExplorer",
    "Explorer",
    "LiveRun",
    "LiveTrainer",
    "PreconditionerExplorer",
    "ResidualExplorer",
    "ResolutionExplorer",
    "SpectrumExplorer",
]
