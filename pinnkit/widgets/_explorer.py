"""Base of the interactive figures: controls on top, a picture with a text alternative below."""

from __future__ import annotations

import abc
import html
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.figure import Figure

from pinnkit.plotting import picture, quick_image, style


class Explorer(abc.ABC):
    """A figure that follows its controls.

    Subclasses define `compute` (numbers, no display), `draw` (a figure) and `describe` (what the
    figure says, in words), and call `super().__init__` with their controls once the slow part is
    compiled. Controls are ordinary ipywidgets, so Tab and the arrow keys work. Where no kernel
    runs, a notebook shows the picture of the moment when it was displayed.

    The first figure decides where its axes lie: laying them out anew at every move of a control
    would take longer than drawing.

    Args:
        controls: by name, as `compute` calls them; a Button counts its clicks.
    """

    def __init__(self, **controls: ipywidgets.DOMWidget):
        self.controls = controls
        self._clicks = dict.fromkeys(controls, 0)
        self._picture = ipywidgets.HTML()
        self._places = []
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
    def draw(self, result: Any) -> Figure:
        """The figure of a result of `compute`."""

    @abc.abstractmethod
    def describe(self, result: Any) -> str:
        """What the figure shows, for a reader who cannot see it."""

    def values(self) -> dict[str, Any]:
        """Value of every control, the number of clicks for a button."""
        return {n: getattr(c, "value", self._clicks[n]) for n, c in self.controls.items()}

    def refresh(self) -> None:
        """Compute and draw again."""
        result = self.compute(**self.values())
        text = self.describe(result)
        with style():
            figure = self.draw(result)
            self._lay_out(figure)
            image = quick_image(figure, text)
        plt.close(figure)
        self._picture.value = f"{image}<p>{html.escape(text)}</p>"

    @property
    def static(self) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        """The figure of now, as `pinnkit.plotting.picture` returns it."""
        result = self.compute(**self.values())
        with style():
            figure = self.draw(result)
            shown = picture(figure, self.describe(result))
        plt.close(figure)
        return shown

    def _lay_out(self, figure: Figure) -> None:
        if len(self._places) != len(figure.axes):
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
