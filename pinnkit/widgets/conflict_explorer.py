"""Two or three loss terms of two variables that pull in different directions."""

from __future__ import annotations

import ipywidgets
import numpy as np
from matplotlib.axes import Axes

from pinnkit.alignment import alignment_score
from pinnkit.plotting import COLORS
from pinnkit.widgets._explorer import Explorer
from pinnkit.widgets._valley import (
    DESCENTS,
    NEWTON,
    STYLES,
    VIEW,
    Valley,
    draw_paths,
    valley,
)

SHOWN = ("gradient descent", "Adam", NEWTON)
TERM_COLOR = COLORS[0]
START = (2.0, 0.4)


class ConflictExplorer(Explorer):
    """Terms (a_k . w)^2 as lines to be on: what their gradients say, and who finds the crossing.

    Knobs: the angle between the normals a_1 and a_2 in degrees, the ratio |a_2| / |a_1|, the number
    of terms (the third has the normal (0, 1)), and the learning rate of gradient descent as a share
    of the one at which it diverges.
    """

    size, widths = (8.6, 3.8), (1, 1.2)

    def __init__(self):
        for terms in (2, 3):
            self.compute(150.0, 1.0, terms, 0.9)
        super().__init__(
            angle=ipywidgets.IntSlider(150, min=10, max=155, step=5, description="angle"),
            ratio=ipywidgets.FloatLogSlider(
                1.0, min=-1, max=1, step=0.1, description="ratio", readout_format=".2f"
            ),
            terms=ipywidgets.Dropdown(options=(2, 3), value=2, description="terms"),
            rate=ipywidgets.FloatSlider(0.9, min=0.1, max=1.1, step=0.05, description="rate"),
        )

    def compute(self, angle: float, ratio: float, terms: int, rate: float) -> Valley:
        half = np.radians(angle) / 2
        a, b = np.array([np.cos(half), np.sin(half)]), np.array([np.cos(half), -np.sin(half)])
        return valley(np.array([a, ratio * b, [0.0, 1.0]])[:terms], START, rate)

    def draw(self, axes: list[Axes], result: Valley) -> None:
        plane, scores = axes
        for a in result.normals:
            along = 2 * VIEW * np.array([-a[1], a[0]]) / np.linalg.norm(a)
            plane.plot(*np.stack([-along, along]).T, "--", color=TERM_COLOR, lw=1)
        draw_paths(plane, result, SHOWN)
        for k, gradient in enumerate(result.gradients):
            down = -gradient / max(1.0, np.linalg.norm(gradient))
            arrow = {"arrowstyle": "-|>", "color": TERM_COLOR, "lw": 2}
            plane.annotate("", START + down, START, arrowprops=arrow)
            plane.annotate(f"{k + 1}", START + 1.2 * down, color=TERM_COLOR, weight="bold",
                           ha="center", va="center")  # fmt: skip
        plane.set_title("Each arrow: down one term")
        for name in SHOWN:
            color, marker = STYLES[name]
            loss = result.losses[name][-1]
            scores.plot(result.inter[name], marker + "-", color=color, ms=3, lw=1, markevery=3,
                        label=f"{name}: loss {loss:.0e}")  # fmt: skip
        scores.axhline(0, color="0.4", lw=1, ls=":")
        scores.set(xlabel="step", ylabel="inter-step alignment", ylim=(-1.1, 1.1),
                   title="Do successive gradients agree?")  # fmt: skip
        scores.legend(fontsize="small", loc="center right")

    def describe(self, result: Valley) -> str:
        before, after = (alignment_score(list(g)) for g in (result.gradients, result.newton))
        last = {name: result.losses[name][-1] for name in SHOWN}
        ends = ", ".join(f"{name} {value:.0e}" for name, value in last.items())
        return (
            f"At the start the terms' gradients have the alignment score {before:+.2f}, after "
            f"Newton's preconditioning {after:+.2f}. The valley's condition number is "
            f"{result.condition:.3g}. Loss after {len(result.inter[DESCENTS[0]])} steps: {ends}."
        )
