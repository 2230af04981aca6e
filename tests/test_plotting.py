"""Figures: a text alternative in every form, labelled axes, honest running means."""

import base64
import io
import re

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from pinnkit import plotting
from pinnkit.history import History


@pytest.fixture
def ax():
    with plotting.style():
        figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def history(**columns):
    steps = np.arange(6.0)
    return History({"step": steps * 100, "seconds": steps} | columns)


def test_every_form_of_a_figure_carries_its_text(ax):
    alt = 'a "quoted" <curve> & more'
    data, metadata = plotting.picture(ax.figure, alt)
    assert data["text/plain"] == alt == metadata["image/png"]["alt"]
    assert 'alt="a &quot;quoted&quot; &lt;curve&gt; &amp; more"' in data["text/html"]
    webp = data["text/html"].partition("base64,")[2].partition('"')[0]
    png, webp = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(d))).convert("RGB"), float)
        for d in (data["image/png"], webp)
    )
    assert png.shape == webp.shape and np.abs(png - webp).mean() < 3 < np.ptp(png)


def test_a_figure_without_text_is_refused(ax):
    with pytest.raises(ValueError, match="needs a text alternative"):
        plotting.show(ax.figure, "  ")


def test_showing_closes_the_figure(ax, monkeypatch):
    shown = []
    monkeypatch.setattr(plotting, "display", lambda *a, **k: shown.append((a, k)))
    plotting.show(ax.figure, "an empty frame")
    assert len(shown) == 1 and not plt.fignum_exists(ax.figure.number)


def test_an_animation_has_all_frames_and_a_text(monkeypatch):
    shown = []
    monkeypatch.setattr(plotting, "display", lambda data, **_: shown.append(data))
    fig, ax = plt.subplots()
    (line,) = ax.plot([0, 1], [0, 0])
    plotting.show_animation(fig, lambda k: line.set_ydata([0, k]), range(3), "a line that rises")
    assert not plt.fignum_exists(fig.number)
    (data,) = shown
    assert 'alt="a line that rises"' in data["text/html"] and data["image/png"]
    encoded = re.search(r"base64,([^\"]+)", data["text/html"])[1]
    picture = Image.open(io.BytesIO(base64.b64decode(encoded)))
    assert picture.n_frames == 3 and picture.info["loop"] == 0
    fig, _ = plt.subplots()
    with pytest.raises(ValueError, match="text alternative"):
        plotting.show_animation(fig, print, [0], " ")
    with pytest.raises(ValueError, match="needs frames"):
        plotting.show_animation(fig, print, [], "nothing")
    plt.close(fig)


def test_the_style_is_a_scope():
    before = mpl.rcParams["axes.grid"]
    with plotting.style():
        assert mpl.rcParams["axes.grid"]
    assert mpl.rcParams["axes.grid"] == before


def test_fields_are_drawn_the_right_way_up(ax):
    axes = {"t": np.array([0.0, 1.0, 2.0]), "x": np.array([-1.0, 1.0])}
    values = np.arange(6.0).reshape(3, 2)
    plotting.plot_field(ax, axes, values, label="$u$")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$t$", "$x$")
    np.testing.assert_array_equal(ax.collections[0].get_array().reshape(2, 3), values.T)
    with pytest.raises(ValueError, match="needs two coordinates"):
        plotting.plot_field(ax, {"t": axes["t"]}, values)


def test_errors_and_scores_are_labelled(ax):
    errors = {"SOAP": history(**{"error/u": 10.0 ** -np.arange(6)})}
    plotting.plot_error(ax, errors)
    assert ax.get_yscale() == "log" and "training time" in ax.get_xlabel()
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["SOAP"]
    ax.clear()
    scores = {"SOAP": history(**{"alignment/inter": [np.nan, 0.5, -0.5, 0.1, 0.2, 0.3]})}
    plotting.plot_alignment(ax, scores, kind="inter", n=4, window=3)
    assert ax.get_ylabel() == "inter-step alignment"
    assert "orthogonal: -0.5" in [t.get_text() for t in ax.get_legend().get_texts()]
    ax.clear()
    scores = {"SOAP": history(**{"alignment/intra/preconditioned": 6 * [0.25]})}
    plotting.plot_alignment(ax, scores, kind="intra", preconditioned=True)
    assert ax.get_ylabel() == "intra-step alignment, preconditioned"
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), 6 * [0.25])


def test_interference_is_read_row_by_row_and_coloured_about_zero(ax):
    matrix = np.array([[-2.0, 0.5], [np.nan, -1e-3]])
    plotting.plot_interference(ax, matrix, ["pde", "initial"], title="Adam")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("asked for by", "change of term")
    for axis in (ax.get_xticklabels(), ax.get_yticklabels()):
        assert [t.get_text() for t in axis] == ["pde", "initial"]
    printed = {t.get_position(): t.get_text() for t in ax.texts}
    assert printed == {(0, 0): "-2", (1, 0): "0.5", (0, 1): "nan", (1, 1): "-0.001"}
    (image,) = ax.images
    assert image.get_clim() == (-2.0, 2.0)
    np.testing.assert_array_equal(np.ma.filled(image.get_array(), np.nan), matrix)
    raises, lowers = (np.array(image.cmap(image.norm(v))) for v in (2.0, -2.0))
    assert raises[0] > raises[2] and lowers[2] > lowers[0]  # red, blue
    with pytest.raises(ValueError, match="one row and column for each of pde, initial"):
        plotting.plot_interference(ax, np.ones((3, 3)), ["pde", "initial"])


def test_running_mean_leaves_out_nan():
    np.testing.assert_allclose(plotting.running_mean([1, 2, 6, 3], 3), [1.5, 3, 11 / 3, 4.5])
    np.testing.assert_allclose(plotting.running_mean([np.nan, 2, 4], 1)[1:], [2, 4])
    assert np.isnan(plotting.running_mean([np.nan], 3)).all()
