"""Interactive figures: each computes apart from its display and has a static form."""

from pinnkit.widgets._explorer import Explorer
from pinnkit.widgets.residual_explorer import ResidualExplorer

__all__ = ["Explorer", "ResidualExplorer"]
