"""The compiled step is the one that training takes."""

import jax
import numpy as np
import optax
import pytest
from flax import nnx

import pinnkit
from pinnkit.profiling import compiled_step

PROBLEM = pinnkit.problems.Burgers()
POINTS = pinnkit.UniformSampler(interior=32, condition=8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_is_the_step_of_fit(dtype):
    network = pinnkit.network(PROBLEM, width=8, depth=1, hard=True, dtype=dtype)
    arguments = (PROBLEM, network, optax.adam(1e-3))
    step, state = compiled_step(*arguments, POINTS, seed=1)
    state, finite = step(state)
    quiet = {"monitor_every": None, "progress": False}
    run = pinnkit.fit(*arguments, points=POINTS, steps=1, seed=1, **quiet)
    trained = nnx.to_pure_dict(nnx.state(run.network, nnx.Param))
    assert finite and int(state.step) == 1
    for mine, others in zip(jax.tree.leaves(state.params), jax.tree.leaves(trained), strict=True):
        assert mine.dtype == dtype
        np.testing.assert_allclose(mine, others, rtol=1e-5)


def test_it_tells_operations_and_memory():
    network = pinnkit.network(PROBLEM, width=8, depth=1)
    few, many = (
        compiled_step(PROBLEM, network, optax.adam(1e-3), pinnkit.UniformSampler(interior=n))[0]
        for n in (1000, 4000)
    )
    assert 3 < many.cost_analysis()["flops"] / few.cost_analysis()["flops"] < 4.1
    assert many.memory_analysis().temp_size_in_bytes > few.memory_analysis().temp_size_in_bytes
