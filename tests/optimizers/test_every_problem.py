"""Every optimizer of the shared table takes steps on the test preset of every problem."""

from functools import partial

import jax
import jax.numpy as jnp
import optax
import pytest

import pinnkit
from pinnkit import problems
from pinnkit.terms import Loss
from pinnkit.training_step import TrainingStep
from tests.optimizers.test_every_optimizer import OPTIMIZERS

OTHER_FORMS = ("Gauss-Newton, residuals", "Gauss-Newton, matrix-free")
"""Of the same step; the cost of compiling all of them on all problems would not be small."""


@pytest.mark.parametrize("problem", problems.BENCHMARKS)
def test_every_optimizer_steps_on_the_test_preset_of_every_problem(problem):
    """All in one program, which computes what they share once, called twice at one point.

    Compiled without much optimization: it runs only twice.
    """
    chosen = getattr(problems, problem)()
    recipe = pinnkit.recipe(chosen, "test", "soap")
    network = pinnkit.network(chosen, **recipe.network)
    loss = Loss(chosen, recipe.weights, recipe.causal)
    steps = {
        name: TrainingStep(
            loss, network, optax.with_extra_args_support(o), recipe.points, "float32"
        )
        for name, (o, _) in OPTIMIZERS.items()
        if name not in OTHER_FORMS
    }
    start = next(iter(steps.values())).initial_state(0)
    before = {name: step.optimizer.init(start.params) for name, step in steps.items()}

    @partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    def all_of_them(state, optimizers):
        return {n: s.step(state._replace(optimizer=optimizers[n])) for n, s in steps.items()}

    once = all_of_them(start, before)
    after = all_of_them(start, {name: state.optimizer for name, (state, _) in once.items()})
    for name, (state, finite) in after.items():
        moved = optax.tree.norm(optax.tree.sub(state.params, start.params))
        assert finite and 0 < moved < jnp.inf, name
