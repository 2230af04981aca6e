"""Programs that differ in their constants alone are compiled once, and are not confused."""

from concurrent.futures import Future

import jax
import jax.numpy as jnp
import numpy as np

import pinnkit
from pinnkit import compilation
from pinnkit.compilation import compile_once, trace_once


def scaled_by(factor):
    return lambda tree, n: ({"x": n * factor * tree["x"]}, tree["y"])


def test_constants_are_exchanged_and_programs_kept():
    compilation._programs.clear()
    tree = {"x": jnp.arange(3.0), "y": jnp.ones(2)}
    factors = [jnp.asarray([1.0, 2.0, 3.0]) * k for k in (1, 5)]
    texts = []
    for factor in factors:
        call, text = compile_once(scaled_by(factor), tree, 2)
        texts.append(text)
        scaled, same = call(tree, 3)
        np.testing.assert_array_equal(scaled["x"], 3 * factor * tree["x"])
        np.testing.assert_array_equal(same, tree["y"])
    assert len(compilation._programs) == 1
    assert texts[0] != texts[1]
    assert compile_once(scaled_by(factors[0]), tree, 2)[1] == texts[0]


def test_another_operation_or_shape_is_another_program():
    compilation._programs.clear()
    for function, size in ((jnp.sin, 3), (jnp.cos, 3), (jnp.sin, 4)):
        call, _ = compile_once(function, jnp.ones(size))
        np.testing.assert_allclose(call(jnp.ones(size)), function(jnp.ones(size)), rtol=1e-6)
    assert len(compilation._programs) == 3


def test_constants_that_play_no_part_are_not_confused():
    compilation._programs.clear()
    unused = [jnp.ones(3), jnp.ones(3)]
    for some in (unused[:1], unused):

        def function(x, some=some):
            for array in some:
                jnp.cos(array)
            return jnp.sin(x)

        call, _ = compile_once(function, jnp.ones(2))
        np.testing.assert_allclose(call(jnp.ones(2)), np.sin(np.ones(2)), rtol=1e-6)


def test_only_the_latest_programs_are_kept():
    compilation._programs.clear()
    for n in range(1, compilation.KEPT + 3):
        compile_once(jnp.sin, jnp.ones(n))
    assert len(compilation._programs) == compilation.KEPT


def test_a_compilation_that_failed_is_tried_again():
    compilation._programs.clear()
    compile_once(jnp.sin, jnp.ones(3))[0].wait()
    (text,) = compilation._programs
    compilation._programs[text] = Future()
    compilation._programs[text].set_exception(MemoryError())
    call, _ = compile_once(jnp.sin, jnp.ones(3))
    np.testing.assert_allclose(call(jnp.ones(3)), np.sin(np.ones(3)), rtol=1e-6)


def test_a_function_is_traced_once_for_each_kind_of_argument():
    traced = []

    @trace_once
    def losses(tree, x):
        traced.append(x.shape)
        return {"cubes": jnp.sum(tree["a"] * x**3)}

    def both(tree, x):
        slope = jax.grad(lambda tree: losses(tree, x)["cubes"])(tree)["a"]
        return losses(tree, x)["cubes"], slope

    tree = {"a": jnp.float32(2)}
    for x in (jnp.ones(3), jnp.arange(3.0)):
        for function in (both, jax.jit(both)):
            value, slope = function(tree, x)
            np.testing.assert_allclose([value, slope], [2 * np.sum(x**3), np.sum(x**3)])
    assert traced == [(3,)]
    losses(tree, jnp.ones(4))
    assert traced == [(3,), (4,)]


def test_constants_of_a_function_that_is_traced_once_are_exchanged_too():
    compilation._programs.clear()
    for k in (1.0, 5.0):
        factor = k * jnp.arange(3.0)
        inner = trace_once(lambda x, factor=factor: factor * x)
        call, _ = compile_once(lambda x, inner=inner: inner(x) + inner(2 * x), jnp.ones(3))
        np.testing.assert_allclose(call(jnp.ones(3)), 3 * k * np.arange(3))
    assert len(compilation._programs) == 1


def test_a_second_seed_needs_no_compilation():
    problem = pinnkit.problems.Burgers(viscosity=0.1)

    def train(seed):
        return pinnkit.fit(
            problem,
            pinnkit.network(problem, width=5, depth=1, fourier_features=4, seed=seed),
            pinnkit.soap(1e-3),
            steps=2,
            points=pinnkit.UniformSampler(interior=16, condition=4),
            seed=seed,
            progress=False,
        )

    compilation._programs.clear()
    first = train(0)
    known = set(compilation._programs)
    second = train(1)
    assert set(compilation._programs) == known
    assert first.history["loss"][0] != second.history["loss"][0]
