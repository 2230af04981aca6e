"""Time windows: what each one solves, and the run that joins them."""

import itertools

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import pinnkit
from pinnkit import compilation, windows
from pinnkit.terms import residuals
from pinnkit.windowed_network import InWindow, Windowed
from pinnkit.windows import TimeWindow, fit_windows

BURGERS = pinnkit.problems.Burgers(viscosity=0.1)
SMALL = {"points": pinnkit.UniformSampler(interior=64, condition=16), "progress": False}


def small_network(problem=BURGERS, **options):
    return pinnkit.network(problem, width=6, depth=1, **options)


def train(edges=2, steps=6, **options):
    return fit_windows(
        BURGERS,
        small_network(),
        optax.adam(1e-2),
        windows=edges,
        steps=steps,
        monitor_every=2,
        **(SMALL | options),
    )


class Scaled(nnx.Module):
    """A point times a parameter that is 1."""

    def __init__(self):
        self.factor = nnx.Param(jnp.ones(()))

    def __call__(self, point):
        return self.factor[...] * point


def standing_wave(point):
    t, x = point
    return jnp.reshape(jnp.sin(jnp.pi * x) * jnp.cos(2 * jnp.pi * t), (1,))


def faces(problem):
    x = np.linspace(0.1, 0.9, 5)
    at = {c.name: c.at for c in problem.conditions()}
    return {"interior": jnp.asarray([[0.6, 0.3], [0.7, 0.8]])} | {
        name: jnp.asarray([[where.get("t", (0.6,))[0], where.get("x", (v,))[0]] for v in x])
        for name, where in at.items()
    }


def test_a_window_continues_value_and_velocity_and_keeps_the_other_conditions():
    wave = pinnkit.problems.Wave()
    window = TimeWindow(wave, (0.55, 1.0), standing_wave)
    assert {c.name: dict(c.at) for c in window.conditions()} == {
        "initial": {"t": (0.55,)},
        "initial_velocity": {"t": (0.55,)},
        "boundary": {"x": (0.0, 1.0)},
    }
    exact = residuals(window, standing_wave, faces(window))
    assert all(np.abs(r).max() < 1e-4 for r in exact.values())

    def shifted(point):
        t, x = point
        return standing_wave(jnp.stack([t - 0.1, x]))

    wrong = residuals(window, shifted, faces(window))
    t, x = faces(window)["initial"].T
    shape = np.sin(np.pi * x)
    np.testing.assert_allclose(
        wrong["initial"],
        shape * (np.cos(2 * np.pi * (t - 0.1)) - np.cos(2 * np.pi * t)),
        atol=1e-5,
    )
    np.testing.assert_allclose(
        wrong["initial_velocity"],
        -2 * np.pi * shape * (np.sin(2 * np.pi * (t - 0.1)) - np.sin(2 * np.pi * t)),
        atol=1e-4,
    )


def test_the_first_window_has_the_problems_own_conditions():
    window = TimeWindow(BURGERS, (0.0, 0.5))
    points = {"interior": jnp.zeros((1, 2)), "initial": jnp.asarray([[0.0, 0.5]])}
    np.testing.assert_allclose(
        residuals(window, lambda p: jnp.zeros(1), points)["initial"], [1.0], rtol=1e-6
    )


def test_a_window_is_compared_with_its_part_of_the_reference():
    whole, part = BURGERS.reference(), TimeWindow(BURGERS, (0.25, 0.5)).reference()
    assert part.axes["t"][[0, -1]].tolist() == [0.25, 0.5]
    i = np.flatnonzero(whole.axes["t"] == 0.25)[0]
    np.testing.assert_array_equal(part.values["u"][0], whole.values["u"][i])


def test_a_network_sees_a_window_as_the_whole_interval():
    seen = InWindow(Scaled(), BURGERS, (0.5, 0.75))
    for t, stretched in ((0.5, 0.0), (0.625, 0.5), (0.75, 1.0)):
        np.testing.assert_allclose(seen(jnp.asarray([t, 0.3])), [stretched, 0.3])


def test_joined_networks_take_turns():
    networks = [small_network(seed=k) for k in range(3)]
    edges = (0.0, 0.2, 0.6, 1.0)
    joined = Windowed(networks, BURGERS, edges)
    for t, k in ((0.0, 0), (0.2, 0), (0.21, 1), (0.6, 1), (0.9, 2)):
        alone = InWindow(networks[k], BURGERS, edges[k : k + 2])
        point = jnp.asarray([t, 0.4])
        np.testing.assert_array_equal(joined(point), alone(point))
    (slope,) = pinnkit.partials(BURGERS.field(joined), jnp.asarray([0.9, 0.4]), "u_t")
    (expected,) = pinnkit.partials(BURGERS.field(alone), jnp.asarray([0.9, 0.4]), "u_t")
    np.testing.assert_allclose(slope, expected, rtol=1e-6)


@pytest.mark.parametrize("times", [[0.0, 0.2, 0.21, 0.6, 0.9, 1.0], [0.7], [0.6, 0.1, 0.3, 0.2]])
def test_predictions_are_those_of_the_joined_networks(times):
    joined = Windowed([small_network(seed=k) for k in range(3)], BURGERS, (0.0, 0.2, 0.6, 1.0))
    x = np.linspace(-1, 1, 5)
    got = pinnkit.Run(BURGERS, joined).predict({"t": np.asarray(times), "x": x})["u"]
    for row, t in zip(got, times, strict=True):
        expected = [joined(jnp.asarray([t, place]))[0] for place in x]
        np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-6)


def test_one_run_over_all_windows(tmp_path):
    run = train(edges=[0.0, 0.3, 1.0])
    history = run.history
    assert history["window"].tolist() == [0] * 4 + [1] * 4
    assert history["step"].tolist() == [0, 2, 4, 6, 6, 8, 10, 12]
    assert np.all(np.diff(history["seconds"]) >= 0) and run.steps == 12
    assert run.status == "window 2 of 2: completed 6 steps" and not run.failed
    again = pinnkit.load(run.save(tmp_path / "run"))
    axes = {"t": np.linspace(0, 1, 7), "x": np.linspace(-1, 1, 5)}
    np.testing.assert_array_equal(again.predict(axes)["u"], run.predict(axes)["u"])
    assert again.relative_error() == run.relative_error()


def test_windows_fit_together_and_beat_chance():
    run = fit_windows(
        BURGERS,
        pinnkit.network(BURGERS, width=8, depth=2, dtype="float64"),
        pinnkit.self_scaled_broyden(),
        windows=2,
        steps=150,
        points=pinnkit.ResidualSampler(interior=300, condition=60),
        weights={"initial": 100.0},
        resample_every=50,
        monitor_every=50,
        progress=False,
    )
    assert run.relative_error()["u"] < 0.02
    x = np.linspace(-1, 1, 21)
    before, after = run.predict({"t": np.array([0.5, 0.5 + 1e-9]), "x": x})["u"]
    assert 0 < np.abs(after - before).max() < 0.05


def interrupt_at(monkeypatch, window):
    """Ctrl-C at the end of a window; `error.run` is that window's run, as `fit` leaves it."""
    trained = itertools.count()

    def interrupted(*args, **options):
        run = pinnkit.fit(*args, **options)
        if next(trained) == window:
            error = KeyboardInterrupt()
            error.run = run
            raise error
        return run

    monkeypatch.setattr(windows, "fit", interrupted)


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path, monkeypatch):
    whole = train(edges=3)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            train(edges=3, checkpoint=tmp_path)
    resumed = train(edges=3, checkpoint=tmp_path)
    for name in set(whole.history) - {"seconds"}:
        np.testing.assert_array_equal(resumed.history[name], whole.history[name])


@pytest.mark.parametrize(
    "points",
    [
        SMALL["points"],
        pinnkit.ResidualSampler(interior=64, condition=16),
        pinnkit.QuadratureSampler(nodes={"t": 4, "x": 16}),
    ],
    ids=lambda points: type(points).__name__,
)
def test_later_windows_use_the_program_of_the_second(points):
    compilation._programs.clear()
    train(edges=2, points=points)
    known = set(compilation._programs)
    train(edges=[0.0, 0.3, 0.5, 0.9, 1.0], points=points)
    assert set(compilation._programs) == known


def test_a_window_does_not_continue_another_past(tmp_path):
    train(checkpoint=tmp_path)
    with pytest.raises(ValueError, match="belongs to another problem: before is"):
        train(steps=8, checkpoint=tmp_path)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        (0, "one or more windows, got 0"),
        ([0.0, 0.5], "must rise from 0.0 to 1.0"),
        ([0.0, 0.6, 0.5, 1.0], "must rise from 0.0 to 1.0"),
    ],
)
def test_wrong_edges(edges, message):
    with pytest.raises(ValueError, match=message):
        train(edges=edges)


def test_steps_of_each_window():
    run = train(edges=3, steps=(2, 6, 4))
    assert run.steps == 12 and run.history["window"].tolist() == [0] * 2 + [1] * 4 + [2] * 3
    short = "expected steps for each of 3 windows, got 2 numbers"
    for steps, message in (((2, 6), short), ((2, 0, 2), "steps of window 1 must be an integer")):
        with pytest.raises(ValueError, match=message):
            train(edges=3, steps=steps)


def test_windows_need_time_and_soft_conditions():
    with pytest.raises(ValueError, match="hard=False"):
        fit_windows(BURGERS, small_network(hard=True), optax.sgd(1.0), windows=2, steps=1)
    cavity = pinnkit.problems.LidDrivenCavity(reynolds=100.0)
    with pytest.raises(ValueError, match="coordinate 't'"):
        fit_windows(cavity, small_network(cavity), optax.sgd(1.0), windows=2, steps=1)


def test_what_an_interrupt_leaves_behind_covers_all_windows(monkeypatch):
    interrupt_at(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt) as caught:
        train(edges=3)
    assert caught.value.run.history["window"].max() == 1
    assert caught.value.run.status == "window 2 of 3: completed 6 steps"
    assert jnp.isfinite(caught.value.run.network(jnp.asarray([0.9, 0.1]))).all()
