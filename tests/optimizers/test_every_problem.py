"""Every optimizer of the shared table takes steps on the test preset of every problem."""

import jax
import jax.numpy as jnp
import optax
import pytest

import pinnkit
from pinnkit import problems
from pinnkit.terms import Loss
from pinnkit.training_step import TrainingStep
from tests.optimizers.test_every_optimizer import OPTIMIZERS

OTHER_FORMS = {"Gauss-Newton, residuals", "Gauss-Newton, matrix-free"}
"""Of the same step; the cost of compiling all of them on all problems would not be small."""


@pytest.mark.parametrize("problem", problems.BENCHMARKS)
@pytest.mark.parametrize("name", [n for n in OPTIMIZERS if n not in OTHER_FORMS])
def test_every_optimizer_steps_on_the_test_preset_of_every_problem(name, problem):
    """Four calls at one point: Gauss-Newton may have to raise its damping until a step is taken.

    Compiled without much optimization: it hardly runs.
    """
    chosen = getattr(problems, problem)()
    recipe = pinnkit.recipe(chosen, "test", "soap")
    optimizer = optax.with_extra_args_support(OPTIMIZERS[name][0])
    loss = Loss(chosen, recipe.weights, recipe.causal)
    network = pinnkit.network(chosen, **recipe.network)
    training = TrainingStep(loss, network, optimizer, recipe.points, "float32")
    step = jax.jit(training.step, compiler_options={"xla_backend_optimization_level": 0})
    start = state = training.initial_state(0)
    for _ in range(4):
        state, finite = step(start._replace(optimizer=state.optimizer))
    moved = optax.tree.norm(optax.tree.sub(state.params, start.params))
    assert finite and 0 < moved < jnp.inf
