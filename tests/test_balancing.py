"""Adaptive weights against hand-computed cases, and their course in training and checkpoints."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.flatten_util import ravel_pytree

import pinnkit
from pinnkit.balancing import CHUNK, GradientNormWeights, TangentKernelWeights
from pinnkit.least_squares import LeastSquares
from pinnkit.problems import Burgers, Condition, Problem
from pinnkit.terms import Loss
from pinnkit.training_step import TrainingStep
from pinnkit.weighting import CausalWeights


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@dataclass(frozen=True, kw_only=True)
class Line(Problem):
    """Three terms that are linear in u, so that the case u = a + b x can be done by hand."""

    coordinates = ("x",)
    domain = {"x": (0.0, 1.0)}

    def residual(self, field, point):
        u, u_x = pinnkit.partials(field, point, "u u_x")
        return {"slope": 3 * (u_x - 1), "value": u - 2 * point[0]}

    def conditions(self):
        return (Condition("left", {"x": (0.0,)}, lambda u, p: u(p)[0] * jnp.asarray([1.0, 2.0])),)


class Straight(nnx.Module):
    """u = a + b x."""

    def __init__(self, a, b, dtype):
        self.ab = nnx.Param(jnp.asarray([a, b], dtype))

    def __call__(self, point):
        return self.ab[0] + self.ab[1] * point


def straight(ab):
    return lambda point: ab[0] + ab[1] * point


AB = np.array([5.0, 2.0])
ENDS = {"interior": np.array([[0.0], [1.0]]), "left": np.zeros((1, 1))}
# gradients of the three terms at a = 5, b = 2: (0, 18), mean of 10 (1, x), (50, 0)
NORMS = {"slope": 18.0, "value": np.sqrt(125.0), "left": 50.0}
# rows of the Jacobians: (0, 3); (1, x); (1, 0) and (2, 0)
TRACES = {"slope": 9.0, "value": 1.5, "left": 5.0}


def points(copies=1, **more):
    return {n: jnp.asarray(np.tile(p, (copies, 1))) for n, p in ENDS.items()} | more


@pytest.mark.parametrize(
    ("kind", "sizes"), [(GradientNormWeights, NORMS), (TangentKernelWeights, TRACES)]
)
def test_weights_by_hand(kind, sizes):
    loss = Loss(Line(), {"left": 10.0})
    weights = kind(momentum=0.75)(loss, straight, jnp.asarray(AB), points())
    assert set(weights) == set(sizes)
    for name, size in sizes.items():
        old = {"left": 10.0}.get(name, 1.0)
        expected = 0.75 * old + 0.25 * sum(sizes.values()) / size
        np.testing.assert_allclose(weights[name], expected, rtol=1e-12)


def test_the_kernel_does_not_depend_on_the_number_of_points():
    """Chunks, and a last one that is not full, add up to the mean."""
    kernel, copies = TangentKernelWeights(), CHUNK + 5
    sizes = kernel.sizes(Loss(Line()), straight, jnp.asarray(AB), points(copies))
    for name, size in TRACES.items():
        np.testing.assert_allclose(sizes[name], size, rtol=1e-12)


def test_rows_of_the_kernel_count_as_they_do_in_the_loss():
    uneven = points(inverse_density=jnp.asarray([1.5, 0.5]))
    sizes = TangentKernelWeights().sizes(Loss(Line()), straight, jnp.asarray(AB), uneven)
    for name, size in {"slope": 9.0, "value": 1.25, "left": 5.0}.items():
        np.testing.assert_allclose(sizes[name], size, rtol=1e-12)


def test_the_kernel_agrees_with_the_jacobian_of_the_least_squares():
    problem = Burgers(viscosity=0.1)
    loss = Loss(problem, causal=CausalWeights(tolerance=0.5, chunks=4))
    network = pinnkit.network(problem, width=4, depth=1, dtype="float64")
    step = TrainingStep(
        loss,
        network,
        optax.sgd(1e-3),
        pinnkit.UniformSampler(interior=24, condition=8),
        np.float64,
    )
    state = step.initial_state(0)
    sizes = TangentKernelWeights().sizes(loss, step.network, state.params, state.points)
    _, jacobian = LeastSquares(loss, step.network, state.points).jacobian(state.params)
    squares = np.sum(np.asarray(jacobian) ** 2, axis=1)
    expected = {"pde": squares[:24].sum(), "initial": squares[24:].sum()}
    for name, size in expected.items():
        np.testing.assert_allclose(sizes[name], size, rtol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_term_without_gradient_keeps_its_weight(dtype):
    """At a = 0 the condition holds exactly."""
    at = {n: p.astype(dtype) for n, p in points().items()}
    loss = Loss(Line(), {"left": 10.0})
    weights = GradientNormWeights()(loss, straight, jnp.asarray([0.0, 3.0], dtype), at)
    assert weights["left"] == 10.0 and {w.dtype.name for w in weights.values()} == {dtype}
    assert np.isfinite(list(weights.values())).all() and weights["slope"] > 1


# --- in training ---------------------------------------------------------------------------------

SAMPLER = pinnkit.UniformSampler(interior=8, condition=2)


def training_step(optimizer, adaptive, hold=1, **start):
    network = Straight(*AB, "float64")
    loss = Loss(Line(), start)
    optimizer = optax.with_extra_args_support(optimizer)
    return TrainingStep(loss, network, optimizer, SAMPLER, np.float64, hold, adaptive)


def states(step, n):
    state, advance = step.initial_state(0), jax.jit(step.step)
    for _ in range(n):
        yield state
        state, _ = advance(state)


@pytest.mark.parametrize("kind", [GradientNormWeights, TangentKernelWeights])
def test_weights_change_when_they_are_due_and_act_from_the_next_step_on(kind):
    adaptive = kind(every=3, momentum=0.5)
    step = training_step(optax.sgd(1e-3), adaptive, left=7.0)
    seen = list(states(step, 8))
    current = {"slope": 1.0, "value": 1.0, "left": 7.0}
    for n, state in enumerate(seen):
        if n in (3, 6):
            loss = step.loss.with_weights(current)
            current = adaptive(loss, step.network, state.params, state.points)
        assert list(step.weights(state)) == ["slope", "value", "left"]
        for name, weight in step.weights(state).items():
            np.testing.assert_allclose(weight, current[name], rtol=1e-12)
        if n + 1 < len(seen):
            gradient = jax.grad(
                lambda p, w=current, s=state: sum(
                    w[n] * value for n, value in step.losses(p, s.points).items()
                )
            )(state.params)
            moved = jax.tree.map(lambda a, b: a - b, seen[n + 1].params, state.params)
            expected = -1e-3 * ravel_pytree(gradient)[0]
            np.testing.assert_allclose(ravel_pytree(moved)[0], expected, rtol=1e-9)


def test_everything_an_optimizer_is_given_has_the_weights_of_its_step():
    def update(updates, state, params, *, value, value_fn, least_squares, gradients_by_term):
        total = jax.tree.map(lambda *g: sum(g), *gradients_by_term().values())
        apart = ravel_pytree(jax.tree.map(jnp.subtract, total, updates))[0]
        squares = jnp.sum(least_squares.residual(params) ** 2)
        seen = jnp.asarray([value, value_fn(params), squares]), jnp.max(jnp.abs(apart))
        return jax.tree.map(lambda g: -1e-4 * g, updates), seen

    def extra(updates, state, params, *, grad, **given):
        return update(updates, state, params, **given)

    watch = optax.GradientTransformationExtraArgs(lambda _: (jnp.zeros(3), jnp.zeros(())), extra)
    step = training_step(watch, GradientNormWeights(every=2, momentum=0.1))
    for state in list(states(step, 4))[1:]:
        values, apart = state.optimizer
        np.testing.assert_allclose(values, values[0], rtol=1e-12)
        assert apart < 1e-10
    assert state.weights["slope"] != 1


def test_what_a_line_search_knows_is_forgotten_when_the_weights_change():
    step = training_step(optax.lbfgs(), GradientNormWeights(every=3), hold=100)
    known = [np.isfinite(optax.tree.get(s.optimizer, "value")) for s in states(step, 8)]
    assert known == [n % 3 > 0 for n in range(8)]


def test_points_follow_the_weighted_residual_of_their_step():
    @dataclass(frozen=True)
    class Watching:
        adaptive = True

        def __call__(self, key, problem, dtype, squared_residual):
            at = points()
            return at | {"inverse_density": squared_residual(at["interior"])}

    step = training_step(optax.sgd(0.0), GradientNormWeights(every=1, momentum=0.5))
    step.points = Watching()
    first, second = states(step, 2)
    np.testing.assert_allclose(first.points["inverse_density"], [9 + 25, 9 + 25])
    third, _ = step.step(second)
    w = second.weights
    np.testing.assert_allclose(
        third.points["inverse_density"], (9 * w["slope"] + 25 * w["value"]) * np.ones(2)
    )


def train(folder, steps, weights, dtype="float32"):
    return pinnkit.fit(
        Line(),
        Straight(*AB, dtype),
        optax.adam(1e-2),
        steps=steps,
        points=SAMPLER,
        weights=weights,
        monitor_every=2,
        checkpoint=folder,
        checkpoint_every=2,
        progress=False,
    )


def test_a_run_is_continued_bit_for_bit_and_by_no_others_weights(tmp_path):
    weights = GradientNormWeights(every=4, start={"left": 2.0})
    whole = train(None, 12, weights)
    train(tmp_path, 6, weights)
    with pytest.raises(ValueError, match="another setting: every is 4 there and 5 here"):
        train(tmp_path, 12, GradientNormWeights(every=5, start={"left": 2.0}))
    with pytest.raises(ValueError, match="another setting"):
        train(tmp_path, 12, TangentKernelWeights(every=4, start={"left": 2.0}))
    with pytest.raises(ValueError, match="another setting"):
        train(tmp_path, 12, {"left": 2.0})
    parts = train(tmp_path, 12, weights)
    np.testing.assert_array_equal(whole.history["loss"], parts.history["loss"])
    assert (whole.network.ab[...] == parts.network.ab[...]).all()
    fixed = train(None, 12, {"left": 2.0})
    same = np.asarray(whole.history["loss"]) == np.asarray(fixed.history["loss"])
    assert same[:2].all() and not same[2:].any()
