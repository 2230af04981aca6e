"""One table of optimizers: each descends every toy and trains Burgers (see test_every_problem)."""

import jax
import numpy as np
import optax
import pytest
from flax import nnx

import pinnkit
from pinnkit.optimizers.schedule_free import (
    schedule_free_soap,
    schedule_free_soap_with_momentum,
)
from pinnkit.optimizers.stale_second_moment import with_stale_second_moment
from pinnkit.optimizers.surgery import conflict_free, pcgrad
from pinnkit.terms import Loss
from pinnkit.toys import TOYS
from pinnkit.training_step import TrainingStep

PROBLEM = pinnkit.problems.Burgers(viscosity=0.1)
POINTS = pinnkit.ResidualSampler(interior=200, condition=40)
OPTIMIZERS = {
    "adam": (optax.adam(1e-2), 60),
    "muon": (optax.contrib.muon(1e-2), 60),
    "soap": (pinnkit.soap(1e-2, weight_decay=0.0), 60),
    "one-sided SOAP": (pinnkit.soap(1e-2, weight_decay=0.0, one_sided=True), 60),
    "schedule-free SOAP": (schedule_free_soap(1e-2, warmup_steps=5, weight_decay=0.0), 60),
    "schedule-free SOAP with momentum": (
        schedule_free_soap_with_momentum(1e-2, weight_decay=0.0),
        60,
    ),
    "SOAP with a stale second moment": (
        with_stale_second_moment(pinnkit.soap(3e-3, weight_decay=0.0), 10),
        60,
    ),
    "schedule-free Adam": (optax.contrib.schedule_free_adamw(1e-2, b1=0.9), 60),
    "Adam after PCGrad": (optax.chain(pcgrad(), optax.adam(1e-2)), 60),
    "Adam after ConFIG": (optax.chain(conflict_free(), optax.adam(1e-2)), 60),
    "lbfgs": (optax.lbfgs(), 20),
    "self-scaled Broyden": (pinnkit.self_scaled_broyden(), 20),
    "Gauss-Newton": (pinnkit.gauss_newton(), 10),
    "Gauss-Newton, residuals": (pinnkit.gauss_newton(space="residuals"), 10),
    "Gauss-Newton, matrix-free": (pinnkit.gauss_newton(space="matrix_free", iterations=60), 10),
}


def train(name, dtype, steps=None, **options):
    optimizer, enough = OPTIMIZERS[name]
    return pinnkit.fit(
        PROBLEM,
        pinnkit.network(PROBLEM, width=6, depth=2, dtype=dtype),
        optimizer,
        steps=steps or enough,
        points=POINTS,
        resample_every=5,
        weights={"initial": 10.0},
        monitor_every=5,
        progress=False,
        **options,
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_loss_falls_and_the_precision_stays(name, dtype):
    run = train(name, dtype)
    assert not run.failed
    assert run.history["loss"][-1] < 0.5 * run.history["loss"][0]
    assert {leaf.dtype.name for leaf in jax.tree.leaves(nnx.state(run.network))} == {dtype}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("toy", TOYS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_toy_is_descended(name, toy, dtype):
    with jax.enable_x64(dtype == "float64"):
        path = TOYS[toy].path(OPTIMIZERS[name][0], 100, dtype=dtype)
        first, last = (float(TOYS[toy].loss(w)) for w in (path[0], path[-1]))
    assert path.dtype == dtype and path.shape == (101, 2)
    assert last < 0.9 * first


@pytest.mark.parametrize("name", ["self-scaled Broyden", "Gauss-Newton"])
def test_a_second_order_run_is_continued_bit_for_bit(name, tmp_path):
    options = {"checkpoint_every": 5}
    whole = train(name, "float64", 10, checkpoint=tmp_path / "whole", **options)
    train(name, "float64", 5, checkpoint=tmp_path / "parts", **options)
    parts = train(name, "float64", 10, checkpoint=tmp_path / "parts", **options)
    np.testing.assert_array_equal(whole.history["loss"], parts.history["loss"])


@pytest.mark.parametrize("name", ["lbfgs", "self-scaled Broyden"])
def test_what_a_line_search_knows_is_used_until_the_points_change(name, monkeypatch):
    with jax.enable_x64(True):
        network = pinnkit.network(PROBLEM, width=6, depth=2, dtype="float64")
        step = TrainingStep(Loss(PROBLEM), network, OPTIMIZERS[name][0], POINTS, np.float64, hold=4)

        def ten_steps():
            state, known, advance = step.initial_state(0), [], jax.jit(step.step)
            for _ in range(10):
                known.append(bool(np.isfinite(optax.tree.get(state.optimizer, "value"))))
                state, _ = advance(state)
            return state, known

        reusing, known = ten_steps()
        assert known == [n % 4 > 0 for n in range(10)]
        monkeypatch.setattr(
            TrainingStep,
            "_value_and_grad",
            lambda self, objective, state: jax.value_and_grad(objective)(state.params),
        )
        computing, _ = ten_steps()
    for a, b in zip(*map(jax.tree.leaves, (reusing.params, computing.params)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


def test_second_order_goes_further_in_the_same_number_of_steps():
    """Each of these steps costs more; how much is a matter of timing, not of this test."""
    second, first = ("self-scaled Broyden", "Gauss-Newton"), ("adam", "soap")
    loss = {n: train(n, "float64", 20).history["loss"][-1] for n in second + first}
    assert max(loss[n] for n in second) < 0.1 * min(loss[n] for n in first)
