"""Presets: every recipe builds, names are checked, notebooks read the environment."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import pinnkit
from pinnkit import problems
from pinnkit.problems import Burgers
from pinnkit.recipes import soap_and_adam, warm_up_then_cosine
from pinnkit.terms import Loss
from pinnkit.training_step import TrainingStep

PROBLEMS = [getattr(problems, name)() for name in problems.BENCHMARKS]


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("preset", ["test", "laptop", "gpu"])
def test_every_recipe_traces_at_full_size(problem, preset):
    recipe = pinnkit.recipe(problem, preset)
    network = pinnkit.network(problem, **recipe.network)
    skip = getattr(network, "hard_terms", ())
    loss = Loss(problem, recipe.weights, recipe.causal, skip)
    for build in recipe.optimizers.values():
        optimizer = optax.with_extra_args_support(build(recipe.steps))
        step = TrainingStep(loss, network, optimizer, recipe.points, jnp.float32)
        state = jax.eval_shape(lambda step=step: step.initial_state(0))
        after, _ = jax.eval_shape(step.step, state)
        assert jax.tree.map(lambda a: (a.shape, a.dtype), after) == jax.tree.map(
            lambda a: (a.shape, a.dtype), state
        )


def test_the_test_preset_trains():
    run = pinnkit.solve(Burgers(), "test", progress=False)
    assert run.status == "completed 300 steps"
    assert run.history["loss"][-1] < 0.1 * run.history["loss"][0]
    assert {"alignment/intra", "alignment/inter", "error/u"} < set(run.history)


def test_options_override_the_recipe():
    run = pinnkit.solve(Burgers(), "test", optimizer="adam", steps=20, monitor_every=5, seed=4,
                        progress=False)  # fmt: skip
    assert list(run.history["step"]) == [0, 5, 10, 15, 20] and run.seed == 4
    other = pinnkit.solve(Burgers(), "test", optimizer=optax.sgd(1e-3), steps=2, progress=False)
    assert other.steps == 2


def test_seeds_give_other_networks_and_points():
    a, b = (pinnkit.solve(Burgers(), "test", steps=2, seed=s, progress=False) for s in (0, 1))
    assert a.history["loss"][0] != b.history["loss"][0]


def test_soap_and_adam_take_the_same_schedule_and_decays():
    """Without a basis to turn, their directions agree but for the call that SOAP skips."""
    optimizers = {n: build(100) for n, build in soap_and_adam(3e-3).items()}
    gradients = [jnp.asarray([1.0, -2.0]) * (1 + 0.1 * i) for i in range(9)]
    params = jnp.zeros(2)
    moved = {}
    for name, late in (("adam", 0), ("soap", 1)):
        state = optimizers[name].init(params)
        for gradient in [gradients[0]] * late + gradients:
            update, state = optimizers[name].update(gradient, state, params)
        moved[name] = update
    rate = warm_up_then_cosine(3e-3, 100)
    np.testing.assert_allclose(moved["adam"] / rate(8), moved["soap"] / rate(9), rtol=1e-5)


def test_unknown_names():
    with pytest.raises(ValueError, match="unknown preset 'huge': expected one of: test, laptop"):
        pinnkit.solve(Burgers(), "huge")
    with pytest.raises(ValueError, match="unknown optimizer 'adamw': expected one of: soap, adam"):
        pinnkit.solve(Burgers(), "test", optimizer="adamw")


def test_the_preset_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("PINNKIT_PRESET", "gpu")
    assert pinnkit.preset_from_environment() == "gpu"
    monkeypatch.delenv("PINNKIT_PRESET")
    assert pinnkit.preset_from_environment() == "laptop"
    monkeypatch.setenv("PINNKIT_PRESET", "fast")
    with pytest.raises(ValueError, match="unknown preset 'fast'"):
        pinnkit.preset_from_environment()


def test_what_is_installed_is_named():
    text = repr(pinnkit.about())
    assert f"pinnkit     {pinnkit.__version__}" in text and "device" in text


def test_a_recipe_is_saved_with_its_network(tmp_path):
    run = pinnkit.solve(Burgers(), "test", steps=5, progress=False)
    loaded = pinnkit.load(run.save(tmp_path / "run"))
    for a, b in zip(*(jax.tree.leaves(nnx.state(r.network)) for r in (run, loaded)), strict=True):
        assert (a == b).all()
