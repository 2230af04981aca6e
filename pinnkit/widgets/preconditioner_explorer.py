"""What a preconditioner makes of a valley that is narrow and turned."""

from __future__ import annotations

import ipywidgets
import numpy as np
from matplotlib.axes import Axes

from pinnkit.widgets._explorer import Explorer
from pinnkit.widgets._valley import DESCENTS, STEPS, Valley, draw_losses, draw_paths, valley

START = (1.5, 1.0)


class PreconditionerExplorer(Explorer):
    """Gradient descent, Adam, SOAP and Newton in a quadratic valley.

    Knobs: the condition number of its Hessian, and the angle in degrees by which its axes are
    turned against the coordinates. Adam scales coordinates, SOAP scales in a rotated basis, Newton
    knows both.
    """

    size, widths = (8.6, 3.8), (1, 1.2)

    def __init__(self):
        self.compute(100.0, 30.0)
        super().__init__(
            condition=ipywidgets.FloatLogSlider(
                100.0, min=0, max=4, step=0.1, description="condition", readout_format=".3g"
            ),
            rotation=ipywidgets.IntSlider(30, min=0, max=90, step=5, description="rotation"),
        )

    def compute(self, condition: float, rotation: float) -> Valley:
        angle = np.radians(rotation)
        soft, stiff = (np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))
        return valley(np.array([soft, np.sqrt(condition) * np.array(stiff)]), START)

    def draw(self, axes: list[Axes], result: Valley) -> None:
        plane, losses = axes
        draw_paths(plane, result, DESCENTS)
        plane.set_title("Four ways down")
        draw_losses(losses, result, DESCENTS)

    def describe(self, result: Valley) -> str:
        ends = ", ".join(f"{name} {loss[-1]:.0e}" for name, loss in result.losses.items())
        soft = result.normals[0]
        turned = np.degrees(np.arctan2(soft[1], soft[0]))
        return (
            f"Condition number {result.condition:.3g}, valley turned by {turned:.0f} degrees. Loss "
            f"after {STEPS} steps: {ends}."
        )
