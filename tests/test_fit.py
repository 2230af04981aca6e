"""Training: every transformation runs, interruptions lose nothing, failures are explained."""

import signal
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import pinnkit
from pinnkit.fit import _Training
from pinnkit.monitors import Monitor
from pinnkit.problems import Burgers
from pinnkit.terms import Loss
from pinnkit.training_step import TrainingStep
from tests.test_terms import Heat

POINTS = pinnkit.UniformSampler(interior=64, condition=16)
PROBLEM = Burgers()


def train(optimizer=None, *, problem=PROBLEM, steps=30, network=None, **options):
    settings = {"points": POINTS, "monitor_every": 10, "progress": False} | options
    network = network or pinnkit.network(PROBLEM, width=8, depth=2)
    return pinnkit.fit(problem, network, optimizer or optax.adam(1e-3), steps=steps, **settings)


def parameters(run):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(nnx.state(run.network))]


def same_history(a, b):
    assert set(a) == set(b)
    for name in set(a) - {"seconds"}:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


OPTIMIZERS = {
    "sgd": optax.sgd(1e-3),
    "adam": optax.adam(1e-3),
    "muon": optax.contrib.muon(1e-3),
    "lbfgs": optax.lbfgs(),
    "soap": pinnkit.soap(1e-3, precondition_frequency=2),
    "clipped soap": optax.chain(optax.clip_by_global_norm(1.0), pinnkit.soap(1e-3)),
    "accumulated adam": optax.MultiSteps(optax.adam(1e-3), 2).gradient_transformation(),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_transformation_trains(name):
    run = train(OPTIMIZERS[name], steps=40)
    assert run.status == "completed 40 steps"
    assert list(run.history["step"]) == [0, 10, 20, 30, 40]
    assert np.isfinite(run.history["loss"]).all()
    assert run.history["loss"][-1] < run.history["loss"][0]


def test_the_loop_is_plain_optax():
    """A loop written by hand gives the same parameters as fit.

    With SOAP it would not: where a gradient is nothing but rounding, which differs between two
    programs, SOAP makes whole steps of it.
    """
    network = pinnkit.network(PROBLEM, width=8, depth=2, dtype="float64")
    optimizer = optax.adam(1e-2)
    run = train(optimizer, network=network, steps=15, weights={"initial": 10.0}, seed=3)

    with jax.enable_x64(True):
        graph, params, rest = nnx.split(network, nnx.Param, ...)
        params = nnx.to_pure_dict(params)
        state, key = optimizer.init(params), jax.random.key(3)
        loss = Loss(PROBLEM, {"initial": 10.0})

        @jax.jit
        def step(params, state, points):
            def objective(params):
                model = nnx.merge(graph, nnx.State(params), rest)
                return loss.total(loss.by_term(model, points))

            updates, state = optimizer.update(jax.grad(objective)(params), state, params)
            return optax.apply_updates(params, updates), state

        for _ in range(15):
            key, now = jax.random.split(key)
            params, state = step(params, state, POINTS(now, PROBLEM, jnp.float64))
    for ours, theirs in zip(parameters(run), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)


def test_without_monitors_the_same_is_trained_and_nothing_measured(tmp_path):
    measured = train(optax.adam(1e-2), steps=12)
    run = train(optax.adam(1e-2), steps=7, monitor_every=None, checkpoint=tmp_path)
    assert not run.history
    run = train(optax.adam(1e-2), steps=12, monitor_every=None, checkpoint=tmp_path)
    assert run.steps == 12 and not run.failed
    for ours, theirs in zip(parameters(run), parameters(measured), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_network_of_a_schedule_free_optimizer_is_the_average_of_its_iterates():
    """At a constant rate x is the plain mean of z; training itself goes on from y."""
    optimizer = optax.contrib.schedule_free_sgd(1e-2)
    run = train(optimizer, steps=4)
    network = pinnkit.network(PROBLEM, width=8, depth=2)
    step = TrainingStep(Loss(PROBLEM), network, optimizer, POINTS, jnp.float32)
    state, advance, iterates = step.initial_state(0), jax.jit(step.step), []
    for _ in range(4):
        state, _ = advance(state)
        iterates.append(state.optimizer.z)
    mean = jax.tree.leaves(jax.tree.map(lambda *z: sum(z) / 4, *iterates))
    for ours, z, y in zip(parameters(run), mean, jax.tree.leaves(state.params), strict=True):
        np.testing.assert_allclose(ours, z, rtol=1e-4, atol=1e-6)
        assert np.abs(ours - y).max() > 1e-5


def test_the_network_handed_in_is_not_changed():
    network = pinnkit.network(PROBLEM, width=8)
    before = [np.array(leaf) for leaf in jax.tree.leaves(nnx.state(network))]
    train(network=network)
    for old, new in zip(before, jax.tree.leaves(nnx.state(network)), strict=True):
        np.testing.assert_array_equal(old, new)


def test_float64_is_decided_by_the_network_alone():
    run = train(network=pinnkit.network(PROBLEM, width=8, dtype="float64"))
    assert {leaf.dtype.name for leaf in jax.tree.leaves(nnx.state(run.network))} == {"float64"}
    assert not jax.config.jax_enable_x64


def test_monitors_agree_with_a_direct_computation():
    network = pinnkit.network(PROBLEM, width=8)
    run = train(network=network, steps=10, weights={"initial": 5.0})
    loss = Loss(PROBLEM, {"initial": 5.0})
    step = TrainingStep(loss, network, optax.adam(1e-3), POINTS, jnp.float32)
    points = step.initial_state(0).points
    graph, params, rest = nnx.split(network, nnx.Param, ...)

    def term(name):
        def value(params):
            return loss.by_term(nnx.merge(graph, params, rest), points)[name]

        return jax.grad(value)(params)

    gradients = [term(n) for n in loss.terms]
    assert np.isclose(
        run.history["alignment/intra"][0], pinnkit.alignment_score(gradients), atol=1e-5
    )
    total = jax.tree.map(lambda a, b: a + 5 * b, *gradients)
    assert np.isclose(run.history["gradient_norm"][0], optax.tree.norm(total), rtol=1e-5)
    assert np.isnan(run.history["alignment/inter"][0])
    assert np.isfinite(run.history["alignment/inter"][1])


def test_how_often_is_monitored_and_chunked_does_not_matter():
    often, rarely = train(steps=40, monitor_every=1), train(steps=40, monitor_every=40)
    np.testing.assert_array_equal(often.history["loss"][-1], rarely.history["loss"][-1])
    for a, b in zip(parameters(often), parameters(rarely), strict=True):
        np.testing.assert_array_equal(a, b)


def test_problems_of_ones_own_need_no_reference():
    network = pinnkit.network(Heat(), width=8)
    run = pinnkit.fit(Heat(), network, pinnkit.soap(1e-2), steps=300, points=POINTS, progress=False)
    assert "error/u" not in run.history
    assert {"loss/pde", "loss/initial", "loss/boundary"} < set(run.history)
    assert run.history["loss"][-1] < 0.1 * run.history["loss"][0]


def test_resumed_run_equals_an_uninterrupted_one(tmp_path):
    optimizer = pinnkit.soap(1e-3, precondition_frequency=3)
    whole = train(optimizer, steps=50)
    options = {"checkpoint": tmp_path / "run", "checkpoint_every": 10}
    train(optimizer, steps=20, **options)
    resumed = train(optimizer, steps=50, **options)
    same_history(whole.history, resumed.history)
    for a, b in zip(parameters(whole), parameters(resumed), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_stop_button_returns_the_run_so_far(tmp_path, monkeypatch):
    plain = Monitor.__call__

    def pressed(self, state, **options):
        if int(state.step) == 500:
            signal.raise_signal(signal.SIGINT)
        return plain(self, state, **options)

    monkeypatch.setattr(Monitor, "__call__", pressed)
    options = {"checkpoint": tmp_path, "checkpoint_every": 10_000}
    run = train(steps=10_000_000, monitor_every=100, **options)
    assert run.status.startswith("stopped by the user at step")
    assert 0 < run.steps < 10_000_000
    assert np.isfinite(run.relative_error()["u"])
    again = train(steps=run.steps, monitor_every=100, **options)
    for a, b in zip(parameters(run), parameters(again), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_time_limit_stops():
    run = train(steps=10_000_000, time_limit=0.3)
    assert run.status.startswith("stopped by the time limit")
    assert 0.3 <= run.seconds < 5


class Blowup(Burgers):
    """Its residual is not finite once the initial loss is small."""

    def residual(self, field, point):
        u, u_x = pinnkit.partials(field, point, "u u_x")
        return {"pde": jnp.log(0.9 - u**2) * u_x}


def test_a_loss_that_is_not_finite_keeps_the_last_good_state():
    problem = Blowup()
    network = pinnkit.network(problem, width=8)
    network.output.kernel[...] = jnp.zeros((8, 1))
    with pytest.warns(RuntimeWarning, match=r"not finite: loss of pde at step \d+.*learning rate"):
        run = pinnkit.fit(
            problem,
            network,
            optax.adam(3e-2),
            steps=500,
            weights={"initial": 100.0},
            monitor_every=1,
            points=POINTS,
            progress=False,
        )
    assert 0 < run.steps < 500
    assert all(np.isfinite(p).all() for p in parameters(run))
    # the last row looks ahead to the points at which the next step failed
    assert np.isfinite(run.history["loss"][:-1]).all()
    assert f"after step {run.steps} was kept" in run.status


def test_an_update_that_is_not_finite_is_caught_too():
    broken = optax.stateless(lambda g, p: jax.tree.map(lambda x: x * jnp.nan, g))
    with pytest.warns(RuntimeWarning, match="gradient or update of the optimizer at step 1"):
        run = train(broken)
    assert run.steps == 0


def test_an_error_on_the_device_returns_the_run_so_far(monkeypatch, tmp_path):
    advance = _Training._advance

    class Failed:  # a result whose computation failed says so when it is read
        def __bool__(self):
            raise MemoryError("RESOURCE_EXHAUSTED: 3 GiB")

    def out_of_memory(self, n):
        if self.run.steps >= 25:
            self.advance = lambda state, n: (None, Failed())
        return advance(self, n)

    monkeypatch.setattr(_Training, "_advance", out_of_memory)
    options = {"steps": 100, "checkpoint": tmp_path, "checkpoint_every": 5}
    with pytest.warns(RuntimeWarning, match="MemoryError after step 25: RESOURCE.*fewer points"):
        run = train(**options)
    assert run.failed and run.steps == 25
    assert np.isfinite(run.relative_error()["u"])
    monkeypatch.undo()
    same_history(train(**options).history, train(steps=100).history)


def test_save_and_load(tmp_path):
    network = pinnkit.network(PROBLEM, "PirateNet", width=8, depth=1, fourier_features=8)
    run = train(network=network)
    path = run.save(tmp_path / "run")
    loaded = pinnkit.load(path)
    assert loaded.problem == PROBLEM and loaded.status == run.status
    assert loaded.relative_error() == run.relative_error()
    same_history(run.history, loaded.history)
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]


def test_unresolved_errors_are_called_so(monkeypatch):
    run = train(steps=10)
    reference = PROBLEM.reference()
    object.__setattr__(reference, "error_estimate", 0.5)
    monkeypatch.setattr(Burgers, "reference", lambda self: reference)
    with pytest.warns(UserWarning, match=r"below three times the reference's own \(5.0e-01\)"):
        errors = pinnkit.relative_error(run)
    assert errors.reference == 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        object.__setattr__(reference, "error_estimate", 1e-12)
        run.relative_error()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"steps": 0}, ValueError, "steps must be an integer >= 1, got 0"),
        ({"monitor_every": 1.5}, ValueError, "monitor_every must be an integer"),
        ({"weights": {"momentum": 1.0}}, ValueError, "unknown loss term 'momentum'"),
        ({"optimizer": "adam"}, TypeError, "for example pinnkit.soap.* got str"),
        ({"problem": "Burgers"}, TypeError, "for example pinnkit.problems.Burgers.., got str"),
        ({"checkpoint": "/proc/none"}, OSError, "cannot write checkpoints to /proc/none"),
    ],
)
def test_bad_arguments(options, error, message):
    with pytest.raises(error, match=message):
        train(**options)


def test_unknown_axes_in_a_prediction():
    with pytest.raises(ValueError, match=r"expected axes \('t', 'x'\), got \('t',\)"):
        train(steps=1).predict({"t": np.zeros(3)})
