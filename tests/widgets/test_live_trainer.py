"""A run that is changed while it trains, and its controls, without a browser."""

import asyncio

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import pinnkit
from pinnkit.problems import Burgers
from pinnkit.widgets import LiveRun, LiveTrainer

PROBLEM = Burgers(viscosity=0.1)


@pytest.fixture(scope="module")
def run():
    return LiveRun(
        PROBLEM,
        pinnkit.network(PROBLEM, width=8, depth=1),
        {"adam": optax.adam(1e-3), "soap": pinnkit.soap(3e-3)},
        points=pinnkit.UniformSampler(interior=64, condition=16),
        weights={"initial": 10.0},
    )


@pytest.fixture
def fresh(run):
    run.reset("adam")
    return run


def losses(run):
    return [row["loss"] for row in run.progress.rows]


def test_it_advances_for_about_as_long_as_asked_and_learns(fresh):
    for _ in range(4):
        fresh.advance(0.1)
    rows = fresh.progress.rows
    assert [row["step"] for row in rows] == sorted({row["step"] for row in rows})
    assert 0.4 <= rows[-1]["seconds"] < 4
    assert losses(fresh)[-1] < 0.5 * losses(fresh)[0]


def test_reset_goes_back_to_the_same_start_however_often(fresh):
    first = fresh.progress
    for _ in range(2):
        fresh.advance(0.05)
        fresh.reset("adam")
        np.testing.assert_array_equal(fresh.progress.values, first.values)
        assert losses(fresh) == [first.rows[0]["loss"]]


def test_another_optimizer_goes_on_from_the_same_parameters(fresh):
    fresh.advance(0.1)
    step, values = fresh.progress.rows[-1]["step"], fresh.progress.values
    fresh.choose("soap")
    fresh.advance(1e-9)  # SOAP's first call changes nothing
    row = fresh.progress.rows[-1]
    assert row["optimizer"] == "soap" and row["step"] == step + 1
    np.testing.assert_array_equal(fresh.progress.values, values)
    fresh.advance(0.05)
    assert not np.array_equal(fresh.progress.values, values)


def test_weights_change_the_loss_from_then_on(fresh):
    before = fresh.progress.rows[-1]
    fresh.weigh(initial=0.0)
    fresh.advance(1e-9)
    row = fresh.progress.rows[-1]
    assert row["loss"] == pytest.approx(row["loss/pde"]) and before["loss"] > before["loss/pde"]
    fresh.reset()
    assert fresh.weights == {"pde": 1.0, "initial": 10.0}


def test_a_loss_that_is_not_finite_ends_it_and_reset_mends_it(fresh):
    fresh.weigh(initial=jnp.inf)
    fresh.advance(0.05)
    assert not fresh.progress.finite
    fresh.reset()
    fresh.advance(0.05)
    assert fresh.progress.finite and np.isfinite(fresh.progress.values).all()


def test_long_histories_are_thinned(fresh, monkeypatch):
    monkeypatch.setattr("pinnkit.widgets.live_trainer.ROWS", 10)
    for _ in range(25):
        fresh.advance(1e-9)
    rows = fresh.progress.rows
    assert 5 <= len(rows) <= 10 and rows[0]["step"] == 0 and rows[-1]["step"] == 25


def test_buttons_and_knobs_drive_the_run(fresh):
    trainer = LiveTrainer(fresh)
    start, reset = trainer.controls["start"], trainer.controls["reset"]

    async def play():
        start.click()
        assert start.description == "pause"
        await asyncio.sleep(1.5)
        trainer.controls["optimizer"].value = "soap"
        trainer.controls["initial"].value = 100.0
        await asyncio.sleep(1.5)
        start.click()
        await trainer._task

    asyncio.run(play())
    assert start.description == "start"
    assert {row["optimizer"] for row in fresh.progress.rows} == {"adam", "soap"}
    assert fresh.weights["initial"] == 100.0
    assert f"Step {fresh.progress.rows[-1]['step']}" in trainer._picture.value
    reset.click()
    assert len(fresh.progress.rows) == 1 and trainer.controls["initial"].value == 10.0
    assert "Step 0" in trainer.static[0]["text/plain"]
