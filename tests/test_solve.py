"""Presets: every recipe builds, names are checked, notebooks read the environment."""

import dataclasses
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import pinnkit
from pinnkit import problems
from pinnkit.balancing import AdaptiveWeights, GradientNormWeights
from pinnkit.precision import dtype_of, precision
from pinnkit.problems import Burgers
from pinnkit.recipes import Recipe, soap_and_adam, warm_up_then_cosine
from pinnkit.terms import Loss
from pinnkit.training_step import TrainingStep

PROBLEMS = [getattr(problems, name)() for name in problems.BENCHMARKS]


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("preset", ["test", "laptop"])  # gpu: test_tools_gpu
def test_every_recipe_traces_at_full_size(problem, preset):
    for name, recipe in pinnkit.recipe(problem, preset).by_optimizer.items():
        network = pinnkit.network(problem, **recipe.network)
        dtype = dtype_of(nnx.state(network, nnx.Param))
        with precision(dtype):
            fixed = not isinstance(recipe.weights, AdaptiveWeights)
            weights, adaptive = (recipe.weights, None) if fixed else ({}, recipe.weights)
            loss = Loss(problem, weights, recipe.causal, getattr(network, "hard_terms", ()))
            optimizer = optax.with_extra_args_support(recipe.optimizers[name](recipe.steps))
            step = TrainingStep(
                loss, network, optimizer, recipe.points, dtype, recipe.resample_every, adaptive
            )
            state = jax.eval_shape(
                lambda step=step: step.start(jax.random.key(0), step.initial_params)
            )
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


SECOND_ORDER = Recipe(
    steps=4,
    optimizers={"Broyden": lambda steps: pinnkit.self_scaled_broyden(max_linesearch_steps=3)},
    network={"width": 4, "depth": 1, "dtype": "float64"},
    points=pinnkit.UniformSampler(interior=16, condition=8),
    weights=GradientNormWeights(every=3),
    resample_every=2,
    alternatives=(
        Recipe(
            steps=6,
            optimizers={"adam": lambda steps: optax.adam(1e-3)},
            network={"width": 5, "depth": 1},
            points=pinnkit.UniformSampler(interior=32, condition=8),
        ),
    ),
)


def test_each_optimizer_is_trained_by_the_recipe_that_names_it(monkeypatch):
    problem = type("Own", (Burgers,), {"presets": {"laptop": SECOND_ORDER}})()
    asked = []

    def fit(problem, network, optimizer, **options):
        asked.append(options)
        return pinnkit.fit(problem, network, optimizer, **options)

    monkeypatch.setattr(sys.modules[pinnkit.solve.__module__], "fit", fit)
    for name, width, dtype, recipe in (
        (None, 4, "float64", SECOND_ORDER),
        ("adam", 5, "float32", SECOND_ORDER.alternatives[0]),
        (optax.sgd(1e-4), 4, "float64", SECOND_ORDER),
    ):
        run = pinnkit.solve(problem, optimizer=name, progress=False)
        kernel = run.network.output.kernel
        assert run.steps == recipe.steps and not run.failed
        assert kernel.shape == (width, 1) and kernel.dtype == dtype
        for option in ("points", "weights", "causal", "resample_every"):
            assert asked[-1][option] is getattr(recipe, option)
    assert pinnkit.recipe(problem, "laptop", "adam").steps == 6
    assert pinnkit.recipe(problem, "laptop").steps == 4
    with pytest.raises(ValueError, match="unknown optimizer 'soap': expected one of: Broyden, ad"):
        pinnkit.recipe(problem, "laptop", "soap")


def test_a_recipe_with_windows_trains_each_of_them():
    recipe = dataclasses.replace(SECOND_ORDER, weights={"initial": 10.0}, windows=(0.0, 0.4, 1.0))
    problem = type("Own", (Burgers,), {"presets": {"laptop": recipe}})()
    run = pinnkit.solve(problem, progress=False, monitor_every=4)
    assert run.history["window"].tolist() == [0, 0, 1, 1] and run.steps == 8
    run = pinnkit.solve(problem, progress=False, steps=(2, 3))
    assert run.steps == 5 and run.status.endswith("completed 3 steps")
    assert pinnkit.solve(problem, optimizer="adam", progress=False).steps == 6


def test_an_optimizer_belongs_to_one_recipe():
    with pytest.raises(ValueError, match="belongs to one recipe, got several for Broyden: give"):
        dataclasses.replace(SECOND_ORDER, alternatives=(SECOND_ORDER.alternatives[0], Recipe(
            steps=1, optimizers=SECOND_ORDER.optimizers)))  # fmt: skip


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
