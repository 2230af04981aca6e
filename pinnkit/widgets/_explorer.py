"""Base of the interactive figures: controls on top, a picture with a text alternative below."""

from __future__ import annotations

import abc
import html
from typing import Any

import ipywidgets
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pinnkit.plotting import picture, quick_image, style


class Explorer(abc.ABC):
    """A figure that follows its controls.

    Subclasses define `compute` (numbers, no display), `draw` (on the figure's axes) and `describe`
    (what the figure says, in words), and call `super().__init__` with their controls once the slow
    part is compiled. Controls are ordinary ipywidgets, so Tab and the arrow keys work. Where no
    kernel runs, a notebook shows the picture of the moment when it was displayed.

    The figure is made and laid out once. A move of a control takes away what was drawn in the axes
    and draws anew; their ticks, whose making takes longer than all the rest, stay.

    Args:
        controls: by name, as `compute` calls them; a Button counts its clicks.

    Attributes:
        size: of the figure in inches.
        widths: of its axes, side by side, relative to each other.
    """

    size: tuple[float, float]
    widths: tuple[float, ...]

    def __init__(self, **controls: ipywidgets.DOMWidget):
        self.controls = controls
        self._clicks = dict.fromkeys(controls, 0)
        self._picture = ipywidgets.HTML()
        self._places = []
        with style():
            self._figure = Figure(figsize=self.size)
            FigureCanvasAgg(self._figure)
            self._axes = list(self._figure.subplots(1, len(self.widths), width_ratios=self.widths))
        for name, control in controls.items():
            if isinstance(control, ipywidgets.Button):
                control.on_click(lambda _, name=name: self._click(name))
            else:
                control.observe(lambda _: self.refresh(), names="value")
        self.refresh()

    @abc.abstractmethod
    def compute(self, **values) -> Any:
        """The numbers behind the figure for the given values of the controls."""

    @abc.abstractmethod
    def draw(self, axes: list[Axes], result: Any) -> None:
        """Draw a result of `compute` into axes that are empty but for their labels and ticks."""

    @abc.abstractmethod
    def describe(self, result: Any) -> str:
        """What the figure shows, for a reader who cannot see it."""

    def values(self) -> dict[str, Any]:
        """Value of every control, the number of clicks for a button."""
        return {n: getattr(c, "value", self._clicks[n]) for n, c in self.controls.items()}

    def refresh(self) -> None:
        """Compute and draw again."""
        with style():
            text = self._draw()
            image = quick_image(self._figure, text)
        self._picture.value = f"{image}<p>{html.escape(text)}</p>"

    @property
    def static(self) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        """The figure of now, as `pinnkit.plotting.picture` returns it."""
        with style():
            text = self._draw()
            return picture(self._figure, text)

    def _draw(self) -> str:
        result = self.compute(**self.values())
        self._empty()
        self.draw(self._axes, result)
        for ax in self._axes:
            ax.minorticks_off()
        self._lay_out()
        return self.describe(result)

    def _empty(self) -> None:
        for ax in self._figure.axes:
            if ax not in self._axes:  # a colour bar
                ax.remove()
        for ax in self._axes:
            for artist in (*ax.lines, *ax.collections, *ax.patches, *ax.texts):
                artist.remove()
            if legend := ax.get_legend():
                legend.remove()
            ax.relim()

    def _lay_out(self) -> None:
        figure = self._figure
        if not self._places:
            figure.draw_without_rendering()
            self._places = [ax.get_position(original=True) for ax in figure.axes]
            figure.set_layout_engine("none")
        for ax, place in zip(figure.axes, self._places, strict=True):
            ax.set_position(place)

    def _click(self, name: str) -> None:
        self._clicks[name] += 1
        self.refresh()

    def _ipython_display_(self) -> None:
        box = ipywidgets.VBox([ipywidgets.HBox(list(self.controls.values())), self._picture])
        data, metadata = self.static
        view = {"version_major": 2, "version_minor": 0, "model_id": box.model_id}
        display(
            {"application/vnd.jupyter.widget-view+json": view} | data, metadata=metadata, raw=True
        )
