"""Continuation: problems in order of difficulty, each from where the one before ended."""

import jax
import numpy as np
import optax
import pytest
from flax import nnx

import pinnkit
from pinnkit.continuation import fit_continuation
from pinnkit.problems import Burgers
from pinnkit.recipes import Curriculum, Recipe, soap_and_adam

THICK_TO_THIN = [Burgers(viscosity=nu) for nu in (0.3, 0.1)]
SMALL = {"points": pinnkit.UniformSampler(interior=32, condition=8), "progress": False}


def small(problem, seed=0):
    return pinnkit.network(problem, width=4, depth=1, seed=seed)


def train(problems=THICK_TO_THIN, steps=(4, 6), **options):
    return fit_continuation(
        problems, small, optax.adam(1e-2), steps=steps, monitor_every=2, **(SMALL | options)
    )


def parameters(run):
    return jax.tree.leaves(nnx.state(run.network, nnx.Param))


def test_each_problem_starts_where_the_one_before_ended():
    run = train()
    first = train(THICK_TO_THIN[:1], (4,))
    start = small(THICK_TO_THIN[1])
    nnx.update(start, nnx.state(first.network, nnx.Param))
    second = pinnkit.fit(
        THICK_TO_THIN[1], start, optax.adam(1e-2), steps=6, monitor_every=2, **SMALL
    )
    assert all(map(np.array_equal, parameters(run), parameters(second)))
    assert run.problem == THICK_TO_THIN[1] and run.steps == 10
    assert run.status == "stage 2 of 2: completed 6 steps"
    assert first.status == "completed 4 steps"
    assert run.history["stage"].tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert run.history["step"].tolist() == [0, 2, 4, 4, 6, 8, 10]
    assert run.history["error/u"][-1] == second.history["error/u"][-1]


def test_a_run_that_was_interrupted_goes_on(tmp_path):
    whole = train(checkpoint=tmp_path / "a")
    train(steps=(4, 2), checkpoint=tmp_path / "b")
    again = train(checkpoint=tmp_path / "b")
    assert all(map(np.array_equal, parameters(whole), parameters(again)))


def test_what_an_interrupt_leaves_behind_covers_all_stages(monkeypatch):
    fit, calls = pinnkit.continuation.fit, []

    def interrupted(problem, *arguments, **options):
        calls.append(problem)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return fit(problem, *arguments, **options)

    monkeypatch.setattr(pinnkit.continuation, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        train()
    assert caught.value.run.status == "stage 1 of 2: completed 4 steps"


def test_a_curriculum_leads_to_the_problem():
    up = Curriculum(parameter="viscosity", values=(0.1, 0.2), steps=3)
    assert up.before(Burgers(viscosity=0.2)) == [Burgers(viscosity=0.1)]
    down = Curriculum(parameter="viscosity", values=(0.3, 0.1, 0.01), steps=3)
    assert down.before(Burgers(viscosity=0.05)) == THICK_TO_THIN
    assert down.before(Burgers(viscosity=1.0)) == []


def test_a_recipe_with_a_curriculum():
    recipe = Recipe(
        steps=5,
        optimizers=soap_and_adam(1e-3),
        network={"width": 4, "depth": 1},
        points=SMALL["points"],
        curriculum=Curriculum(parameter="viscosity", values=(0.3, 0.1), steps=2),
    )
    run = pinnkit.solve(Burgers(viscosity=0.1), recipe, monitor_every=None, progress=False)
    assert run.status == "stage 2 of 2: completed 5 steps" and run.steps == 7


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: train(steps=(3,)), "one or more problems and steps for each, got 2 and 1"),
        (lambda: train([], ()), "got 0 and 0"),
        (lambda: Curriculum(parameter="a", values=(1, 3, 2), steps=1), "that rise or fall"),
        (lambda: Curriculum(parameter="a", values=(1,), steps=1), "two or more values"),
        (lambda: Curriculum(parameter="a", values=(1, 2), steps=0), "1 or more steps"),
        (
            lambda: Recipe(
                steps=1, optimizers={}, windows=2,
                curriculum=Curriculum(parameter="a", values=(1, 2), steps=1),
            ),
            "windows or a curriculum",
        ),
    ],
)  # fmt: skip
def test_bad_input(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
