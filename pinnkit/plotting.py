"""One style for every figure: colour-blind-safe, labelled, with a text alternative."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imsave
from PIL import Image

from pinnkit.alignment import orthogonal_score
from pinnkit.history import History

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette (2008), told apart with every common colour vision."""

DASHES = ("-", "--", "-.", ":")
FIELD_MAP = "cividis"
SIGNED_MAP = "RdBu_r"
ERROR_MAP = "magma"

STYLE = {
    "axes.prop_cycle": mpl.cycler(color=COLORS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.titlesize": "medium",
    "axes.titleweight": "bold",
    "axes.titley": 1.0,
    "grid.alpha": 0.3,
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.1,
    "font.size": 10,
    "image.cmap": FIELD_MAP,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}


def style() -> AbstractContextManager:
    """The kit's matplotlib style as a scope: `with style(): fig, ax = plt.subplots()`."""
    return mpl.rc_context(STYLE)


def show(figure: Figure, alt: str) -> None:
    """Display a figure in a notebook with a text alternative, and close it.

    Args:
        figure: what to show.
        alt: what a reader who cannot see the figure should know.

    Raises:
        ValueError: the text is empty.
    """
    if not alt.strip():
        raise ValueError("a figure needs a text alternative: say what it shows in a sentence")
    data, metadata = picture(figure, alt)
    plt.close(figure)
    display(data, metadata=metadata, raw=True)


def picture(figure: Figure, alt: str) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The figure as data by MIME type and its metadata, as `IPython.display.display` takes them.

    JupyterLab shows the HTML form, whose text alternative it passes on to screen readers; it
    drops that of a PNG, which is there for viewers that show no HTML.
    """
    data = {"text/html": html_image(figure, alt), "image/png": _encode(figure, "png")}
    return data | {"text/plain": alt}, {"image/png": {"alt": alt}}


def html_image(figure: Figure, alt: str) -> str:
    """The figure as an <img> element that holds its own data, four times smaller than a PNG."""
    data = _encode(figure, "webp", pil_kwargs={"quality": 85, "method": 6})
    return _image_element(data, alt)


def show_animation(
    figure: Figure,
    update: Callable[[Any], None],
    frames: Iterable,
    alt: str,
    *,
    seconds: float = 6.0,
) -> None:
    """Show a figure at several moments one after the other, in an endless loop, and close it.

    Args:
        figure: as it is before the first frame.
        update: called with each frame; changes what the figure shows, not its layout.
        frames: such as times.
        alt: what is to be seen, for those who do not see it.
        seconds: of one round.

    Raises:
        ValueError: the text is empty, or there is no frame.
    """
    if not alt.strip():
        raise ValueError("an animation needs a text alternative: say what it shows in a sentence")
    pictures = []
    for frame in frames:
        update(frame)
        figure.canvas.draw()
        pictures.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()))
    if not pictures:
        raise ValueError("an animation needs frames, got none")
    buffer = io.BytesIO()
    pictures[0].save(
        buffer, "webp", save_all=True, append_images=pictures[1:], loop=0, quality=75, method=4,
        duration=round(1000 * seconds / len(pictures)),
    )  # fmt: skip
    data = {
        "text/html": _image_element(base64.b64encode(buffer.getvalue()).decode(), alt),
        "image/png": _encode(figure, "png"),
        "text/plain": alt,
    }
    plt.close(figure)
    display(data, metadata={"image/png": {"alt": alt}}, raw=True)


def quick_image(pixels: np.ndarray, alt: str) -> str:
    """As `html_image`, but of pixels that are drawn already, and hardly compressed."""
    buffer = io.BytesIO()
    imsave(buffer, pixels, format="webp", pil_kwargs={"quality": 90, "method": 0})
    return _image_element(base64.b64encode(buffer.getvalue()).decode(), alt)


def _image_element(data: str, alt: str) -> str:
    text = html.escape(alt, quote=True)
    return f'<img alt="{text}" src="data:image/webp;base64,{data}" style="max-width: 100%">'


def _encode(figure: Figure, kind: str, **options) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, bbox_inches="tight", **options)
    return base64.b64encode(buffer.getvalue()).decode()


def plot_field(
    ax: Axes,
    axes: Mapping[str, np.ndarray],
    values: np.ndarray,
    *,
    title: str = "",
    label: str = "",
    cmap: str = FIELD_MAP,
    **options,
) -> None:
    """A field over two coordinates as a colour map with its bar.

    Args:
        ax: where to draw.
        axes: two 1-D arrays by name; the first runs along the horizontal axis.
        values: shape (len(first), len(second)).
        title: over the picture.
        label: of the colour bar, with units if the field has any.
        cmap: a matplotlib colour map.
        options: handed to `Axes.pcolormesh`, such as vmin and vmax.
    """
    if len(axes) != 2:
        raise ValueError(f"a colour map needs two coordinates, got {tuple(axes)}")
    (horizontal, a), (vertical, b) = axes.items()
    mesh = ax.pcolormesh(a, b, values.T, cmap=cmap, shading="nearest", rasterized=True, **options)
    ax.grid(False)
    ax.set(xlabel=f"${horizontal}$", ylabel=f"${vertical}$", title=title)
    ax.figure.colorbar(mesh, ax=ax, label=label)


def plot_error(ax: Axes, histories: Mapping[str, History], field: str = "u", *, x="seconds"):
    """Relative L2 error through training, one line for each run.

    Args:
        ax: where to draw, both logarithmic axes are set.
        histories: by label.
        field: whose error.
        x: "seconds" or "step".
    """
    for i, (label, history) in enumerate(histories.items()):
        ax.semilogy(history[x], history[f"error/{field}"], DASHES[i % 4], label=label)
    ax.set(xlabel=_ABSCISSA[x], ylabel=f"relative $L^2$ error of ${field}$")
    ax.legend()


def plot_alignment(
    ax: Axes,
    histories: Mapping[str, History],
    kind: str = "inter",
    *,
    n: int = 2,
    x: str = "step",
    window: int = 1,
    preconditioned: bool = False,
) -> None:
    """Alignment score through training, with the line 2/n - 1 of orthogonal gradients.

    Args:
        ax: where to draw.
        histories: by label.
        kind: "intra" (terms at one step) or "inter" (successive steps).
        n: number of gradients in the score.
        x: "seconds" or "step".
        window: length of the running mean in rows; single rows are faint dots behind it.
        preconditioned: the score after the optimizer's preconditioner instead of before it.
    """
    column = f"alignment/{kind}/preconditioned" if preconditioned else f"alignment/{kind}"
    for i, (label, history) in enumerate(histories.items()):
        score, color = history[column], COLORS[i % len(COLORS)]
        if window > 1:
            ax.plot(history[x], score, ".", color=color, alpha=0.3, ms=3, mew=0)
        smooth = running_mean(score, window)
        ax.plot(history[x], smooth, DASHES[i % 4], color=color, label=label)
    ax.axhline(
        orthogonal_score(n),
        color="0.4",
        lw=1,
        ls=":",
        label=f"orthogonal: {orthogonal_score(n):.2g}",
    )
    label = f"{kind}-step alignment" + (", preconditioned" if preconditioned else "")
    ax.set(xlabel=_ABSCISSA[x], ylabel=label, ylim=(-1.05, 1.05))
    ax.locator_params(axis="x", nbins=5)
    ax.legend()


def plot_interference(
    ax: Axes,
    matrix: np.ndarray,
    names: Sequence[str],
    *,
    title: str = "",
    label: str = "change of the term",
    largest: float | None = None,
) -> None:
    """An interference matrix as a heat map: red raises a loss term, blue lowers it.

    Args:
        ax: where to draw.
        matrix: shape (n, n); row j is the term that changes, column k the one whose part of the
            step changes it. Terms of very different size are seen in `normalized_interference`.
        names: of the n terms.
        title: over the picture.
        label: of the colour bar.
        largest: where the colours end, by default the largest entry in absolute value.

    Raises:
        ValueError: matrix and names do not fit together.
    """
    matrix = np.asarray(matrix, dtype=float)
    if matrix.shape != (len(names), len(names)):
        raise ValueError(
            f"expected a matrix of shape {(len(names),) * 2}, one row and column for each of "
            f"{', '.join(names)}, got {matrix.shape}"
        )
    finite = np.abs(matrix[np.isfinite(matrix)])
    largest = finite.max(initial=0.0) or 1.0 if largest is None else largest
    image = ax.imshow(matrix, cmap=SIGNED_MAP, vmin=-largest, vmax=largest, aspect="auto")
    ax.set_facecolor("0.85")  # seen where an entry is nan
    for (j, k), value in np.ndenumerate(matrix):
        dark = abs(value) > 0.6 * largest
        color = "white" if dark else "black"
        text = f"{value:.0f}" if 10 <= abs(value) < 1e4 else f"{value:.2g}"
        ax.text(k, j, text, ha="center", va="center", color=color)
    ax.grid(False)
    ticks = range(len(names))
    ax.set_xticks(ticks, names, rotation=30, ha="right", rotation_mode="anchor")
    ax.set_yticks(ticks, names)
    ax.set(xlabel="asked for by", ylabel="change of term", title=title)
    ax.figure.colorbar(image, ax=ax, label=label)


def running_mean(values: Sequence[float], window: int) -> np.ndarray:
    """Mean over a centred window that shrinks at the ends; nan entries are left out."""
    values = np.asarray(values, dtype=float)
    half = window // 2
    slices = (values[max(0, i - half) : i + half + 1] for i in range(len(values)))
    return np.array([np.nanmean(s) if np.isfinite(s).any() else np.nan for s in slices])


_ABSCISSA = {"seconds": "training time in seconds", "step": "step"}
