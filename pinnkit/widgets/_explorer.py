"""Base of the interactive figures: controls on top, a picture with a text alternative below."""

from __future__ import annotations

import abc
import html
from typing import Any

import ipywidgets
import numpy as np
from IPython.display import display
from matplotlib.artist import Artist
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
    and draws anew; the axes themselves, which take longer than all the rest, are drawn again only
    when their limits or labels have changed. So limits that follow the data do best in decades.

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
        self._frame = self._background = None
        with style():
            self._figure = Figure(figsize=self.size)
            FigureCanvasAgg(self._figure)
            self._axes = list(self._figure.subplots(1, len(self.widths), width_ratios=self.widths))
            self.prepare(self._axes)
        for name, control in controls.items():
            if isinstance(control, ipywidgets.Button):
                control.on_click(lambda _, name=name: self._click(name))
            else:
                control.observe(lambda _: self.refresh(), names="value")
        self.refresh()

    @abc.abstractmethod
    def compute(self, **values) -> Any:
        """The numbers behind the figure for the given values of the controls."""

    def prepare(self, axes: list[Axes]) -> None:  # noqa: B027
        """Draw what stays as it is, for example a colour bar."""

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
            self._render()
            image = quick_image(self._figure.canvas.buffer_rgba(), text)
        self._picture.value = f"{image}<p>{html.escape(text)}</p>"

    @property
    def static(self) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        """The figure of now, as `pinnkit.plotting.picture` returns it."""
        with style():
            text = self._draw()
            return picture(self._figure, text)

    def _draw(self) -> str:
        result = self.compute(**self.values())
        for ax in self._axes:
            for artist in (*ax.lines, *ax.collections, *ax.patches, *ax.texts):
                artist.remove()
            if legend := ax.get_legend():
                legend.remove()
            ax.relim()
        self.draw(self._axes, result)
        for ax in self._axes:
            ax.minorticks_off()
        return self.describe(result)

    def _render(self) -> None:
        """Bring the canvas up to date; axes that look as before are not drawn again."""
        moving = [(ax, artist) for ax in self._axes for artist in _drawn_in(ax)]
        for _, artist in moving:
            artist.set_animated(True)
        canvas = self._figure.canvas
        if self._frame is None:
            self._figure.draw_without_rendering()
            self._figure.set_layout_engine("none")
        frame = [_frame(ax) for ax in self._figure.axes]
        if frame != self._frame:
            canvas.draw()
            self._frame, self._background = frame, canvas.copy_from_bbox(self._figure.bbox)
        canvas.restore_region(self._background)
        for ax, artist in moving:
            ax.draw_artist(artist)

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


def decades(smallest: float, largest: float, every: int = 1) -> tuple[float, float]:
    """Limits of a logarithmic axis, full (or every n-th) powers of ten, which seldom change."""
    low, high = np.log10([smallest, largest]) / every
    return 10.0 ** (every * np.floor(low)), 10.0 ** (every * np.ceil(high))


def _drawn_in(ax: Axes) -> list[Artist]:
    artists = [*ax.lines, *ax.collections, *ax.patches, *ax.texts, ax.title]
    if legend := ax.get_legend():
        artists.append(legend)
    return sorted(artists, key=lambda artist: artist.get_zorder())


def _frame(ax: Axes) -> tuple:
    """What the looks of empty axes depend on."""
    return (
        *ax.get_xlim(),
        *ax.get_ylim(),
        ax.get_xscale(),
        ax.get_yscale(),
        ax.get_xlabel(),
        ax.get_ylabel(),
    )
