"""The numbers behind the figure, its controls and its static form, without a browser."""

import ipywidgets
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pinnkit
from pinnkit.problems import Burgers
from pinnkit.widgets import ResidualExplorer

PROBLEM = Burgers()


@pytest.fixture(scope="module")
def explorer():
    return ResidualExplorer(pinnkit.network(PROBLEM, width=8, depth=2), PROBLEM)


def test_the_loss_is_that_of_the_problem(explorer):
    problem = Burgers(viscosity=0.2)
    field = problem.field(pinnkit.network(PROBLEM, width=8, depth=2))
    result = explorer.compute(viscosity=0.2, points=50)
    rows = jax.vmap(lambda p: problem.residual(field, p)["pde"])(jnp.asarray(result.points))
    assert result.points.shape == (50, 2)
    assert np.isclose(result.seen, np.mean(rows**2), rtol=1e-4)
    assert np.isclose(result.true, np.mean(result.size**2), rtol=0.05)


def test_more_points_see_more(explorer):
    width = np.diff(explorer.compute(viscosity=0.01, points=10).spread, axis=1).ravel()
    assert (np.diff(width) < 0).all()


def test_knobs_move_the_figure(explorer):
    def text():
        return explorer.static[0]["text/plain"]

    before = dict(explorer.static[0])
    explorer.controls["viscosity"].value = 0.5
    assert "viscosity 0.5000" in text()
    explorer.controls["points"].value = 30
    assert "the 30 points see" in text()
    drawn = text()
    explorer.controls["redraw"].click()
    assert text() != drawn
    assert all(explorer.static[0][kind] != old for kind, old in before.items())
    assert explorer._picture.value.startswith(f'<img alt="{text()}"')


def test_where_no_kernel_runs_a_picture_with_text_is_left(explorer, monkeypatch):
    shown = {}
    monkeypatch.setattr(
        "pinnkit.widgets._explorer.display", lambda data, **k: shown.update(k, data=data)
    )
    explorer._ipython_display_()
    data = shown["data"]
    assert data.pop("application/vnd.jupyter.widget-view+json")["model_id"]
    assert set(data) == {"text/html", "image/png", "text/plain"}
    assert shown["metadata"]["image/png"]["alt"] == data["text/plain"]


def test_the_controls_take_the_keyboard(explorer):
    kinds = (ipywidgets.FloatLogSlider, ipywidgets.IntSlider, ipywidgets.Button)
    for control in explorer.controls.values():
        assert isinstance(control, kinds) and control.description and control.tabbable is not False
