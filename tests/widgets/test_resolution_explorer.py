"""The solutions behind the figure, its controls and its text, without a browser."""

import numpy as np
import pytest

from pinnkit.problems import Burgers
from pinnkit.widgets import ResolutionExplorer, resolution_explorer


@pytest.fixture(scope="module")
def explorer():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resolution_explorer, "POINTS", (64, 256, 512))
        yield ResolutionExplorer(Burgers(viscosity=0.02))


def test_more_points_are_nearer_to_the_truth(explorer):
    result = explorer.compute(points=256, time=0.5)
    assert (np.diff(result.errors) < 0).all() and result.errors[-1] < 1e-8
    assert result.error == result.errors[1]
    assert np.linalg.norm(result.u - result.exact) == pytest.approx(
        result.error * np.linalg.norm(result.exact)
    )


def test_before_the_shock_few_points_are_enough(explorer):
    early, late = (explorer.compute(points=64, time=t) for t in (0.1, 0.5))
    assert early.error < 1e-6 < 1e-3 < late.error
    assert early.spectrum[20] < 1e-4 * late.spectrum[20]


def test_knobs_move_figure_and_text(explorer):
    before = dict(explorer.static[0])
    explorer.controls["points"].value = 512
    explorer.controls["time"].value = 0.25
    text = explorer.static[0]["text/plain"]
    assert "With 512 points at t = 0.250" in text
    assert all(explorer.static[0][kind] != old for kind, old in before.items())


def test_the_end_of_the_spectrum_is_about_as_large_as_the_error(explorer):
    result = explorer.compute(points=64, time=0.5)
    assert 0.1 < result.spectrum[16:21].max() / result.error < 10
