"""Descents in a valley, and the two explorers that show them, without a browser."""

import jax.numpy as jnp
import numpy as np
import pytest

import pinnkit
from pinnkit.toys import opposed_lines
from pinnkit.widgets import ConflictExplorer, PreconditionerExplorer
from pinnkit.widgets._valley import DESCENTS, NEWTON, valley


@pytest.fixture(scope="module")
def conflict():
    return ConflictExplorer()


@pytest.fixture(scope="module")
def preconditioner():
    return PreconditionerExplorer()


@pytest.mark.parametrize("angle", [30, 90, 150])
def test_the_first_score_is_the_cosine_of_the_angle(conflict, angle):
    result = conflict.compute(angle=angle, ratio=3.0, terms=2, rate=0.9)
    score = pinnkit.alignment_score(list(result.gradients))
    assert score == pytest.approx(np.cos(np.radians(angle)), abs=1e-5)
    lengths = np.linalg.norm(result.normals, axis=1)
    assert lengths[1] / lengths[0] == pytest.approx(3.0, rel=1e-5)


def test_the_terms_are_those_of_the_toy(conflict):
    result = conflict.compute(angle=120, ratio=2.0, terms=2, rate=0.9)
    toy, w = opposed_lines(120.0, 2.0), jnp.asarray(result.start)
    np.testing.assert_allclose(result.gradients, list(toy.gradients(w).values()), rtol=1e-4)
    assert result.losses["Adam"][0] == pytest.approx(float(toy.loss(w)), rel=1e-5)


def test_newton_aligns_what_descent_bounces(conflict):
    result = conflict.compute(angle=150, ratio=1.0, terms=2, rate=0.95)
    np.testing.assert_allclose(result.inter[NEWTON][:20], 1, atol=1e-3)
    assert (result.inter["gradient descent"][:5] < -0.5).all()
    np.testing.assert_allclose(result.newton @ result.hessian, result.gradients, atol=1e-5)


def test_above_the_limit_gradient_descent_diverges(conflict):
    for rate, grows in ((1.1, True), (0.9, False)):
        loss = conflict.compute(angle=150, ratio=1.0, terms=2, rate=rate).losses
        assert (loss["gradient descent"][-1] > loss["gradient descent"][0]) == grows


def test_a_third_term_is_counted(conflict):
    result = conflict.compute(angle=150, ratio=1.0, terms=3, rate=0.9)
    assert result.gradients.shape == (3, 2)
    np.testing.assert_allclose(result.normals[2], [0, 1])


def test_the_valley_has_the_condition_number_asked_for(preconditioner):
    result = preconditioner.compute(condition=1000.0, rotation=25)
    assert result.condition == pytest.approx(1000, rel=1e-2)
    soft = np.linalg.eigh(result.hessian)[1][:, 0]
    assert abs(np.degrees(np.arctan(soft[1] / soft[0]))) == pytest.approx(25, abs=0.1)


def test_adam_needs_the_axes_and_soap_does_not(preconditioner):
    along = preconditioner.compute(condition=1e4, rotation=0).losses
    turned = preconditioner.compute(condition=1e4, rotation=45).losses
    assert along["Adam"][-1] < 1e-4 and turned["Adam"][-1] > 0.1
    assert along["SOAP"][-1] < 1e-2 and turned["SOAP"][-1] < 1e-2


def test_every_path_begins_at_the_start():
    result = valley(np.eye(2), (1.0, -2.0))
    assert set(result.paths) == set(DESCENTS)
    for path in result.paths.values():
        np.testing.assert_allclose(path[0], [1.0, -2.0])


@pytest.mark.parametrize(
    ("name", "knob", "value", "text"),
    [
        ("conflict", "angle", 120, "alignment score -0.50"),
        ("conflict", "terms", 3, "terms' gradients"),
        ("conflict", "ratio", 5.0, "condition number"),
        ("conflict", "rate", 0.5, "gradient descent"),
        ("preconditioner", "condition", 10.0, "Condition number 10"),
        ("preconditioner", "rotation", 45, "turned by 45 degrees"),
    ],
)
def test_knobs_move_picture_and_text(request, name, knob, value, text):
    explorer = request.getfixturevalue(name)
    before = explorer._picture.value
    explorer.controls[knob].value = value
    assert text in explorer.static[0]["text/plain"]
    assert explorer._picture.value != before


@pytest.mark.parametrize(("knob", "value"), [("condition", 1e4), ("rotation", 80)])
def test_there_and_back_is_the_same_picture(knob, value):
    """Though most of it is not drawn again."""
    explorer = PreconditionerExplorer()
    control, before = explorer.controls[knob], explorer._picture.value
    at_first = control.value
    control.value = value
    assert explorer._picture.value != before
    control.value = at_first
    assert explorer._picture.value == before
    explorer._frame = ()  # all of it is drawn again
    explorer.refresh()
    assert explorer._picture.value == before
