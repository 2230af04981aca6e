"""Gradient surgery against hand-computed cases, its definitions, and optax's machinery."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import pinnkit
from pinnkit.optimizers.surgery import PCGradState, conflict_free, pcgrad
from pinnkit.terms import Loss
from pinnkit.training_step import TrainingStep
from tests.test_balancing import Line, Straight

SQRT2 = np.sqrt(2)
METHODS = {"pcgrad": pcgrad(), "conflict_free": conflict_free()}
PRECISIONS = {"float32": 1e-5, "float64": 1e-12}


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@functools.partial(jax.jit, static_argnums=0)
def combined(method, gradients, count):
    terms = {f"term {i}": g for i, g in enumerate(gradients)}
    state = method.init(gradients[0])
    if isinstance(state, PCGradState):
        state = state._replace(count=count)
    return method.update(sum(gradients), state, gradients_by_term=lambda: terms)[0]


def combine(method, *gradients, dtype="float64", count=0):
    return combined(method, jnp.asarray(np.array(gradients), dtype), jnp.int32(count))


# gradients: (PCGrad's update, ConFIG's update)
BY_HAND = {
    "alone": ([(3, 4)], (3, 4), (3, 4)),
    "the same twice": ([(3, 4), (3, 4)], (6, 8), (6, 8)),
    "orthogonal": ([(2, 0), (0, 1)], (2, 1), (1.5, 1.5)),
    # U x = 1 has the solution (1, 1/2), of square 5/4; projections on it: 1 and 5, times |x|^-1
    "agreeing": ([(1, 0), (3, 4)], (4, 4), (4.8, 2.4)),
    "agreeing, one a hundred times as long": ([(100, 0), (3, 4)], (103, 4), (84, 42)),
    # (1, 0) + (-1, 1)/2 and (-1, 1) + (1, 0); (1, 1 + sqrt 2) has the square 4 + 2 sqrt 2
    "in conflict": (
        [(1, 0), (-1, 1)],
        (0.5, 1.5),
        np.array([1, 1 + SQRT2]) * (1 + SQRT2) / (4 + 2 * SQRT2),
    ),
    "opposed": ([(1, 0), (-3, 0)], (0, 0), (0, 0)),
    "opposed but for rounding": ([(0.3, 0.7), (-0.1, -0.7 / 3)], (0, 0), (0, 0)),
    "opposed, and one that is not": ([(1, 0), (-3, 0), (0, 2)], (0, 2), (0, 2)),
    "zero and another": ([(0, 0), (3, 4)], (3, 4), (3, 4)),
    "zero": ([(0, 0), (0, 0)], (0, 0), (0, 0)),
    "three in a plane": ([(1, 0), (0, 1), (1, 1)], (2, 2), (2, 2)),
}


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("case", BY_HAND)
def test_cases_by_hand(case, dtype):
    gradients, *expected = BY_HAND[case]
    for method, update in zip(METHODS.values(), expected, strict=True):
        found = combine(method, *gradients, dtype=dtype)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, update, rtol=PRECISIONS[dtype], atol=PRECISIONS[dtype])


def random_gradients(seed, m=3, n=7):
    """Of lengths that differ, the first two in conflict."""
    g = np.random.default_rng(seed).normal(size=(m, n))
    g[1] -= 2 * g[0]
    return g * np.array([1.0, 1e3, 1e-2])[:m, None]


def test_config_makes_the_same_acute_angle_with_all():
    for seed in range(5):
        gradients = random_gradients(seed)
        update = np.asarray(combine(conflict_free(), *gradients))
        cosines = gradients @ update / np.linalg.norm(gradients, axis=1) / np.linalg.norm(update)
        np.testing.assert_allclose(cosines, cosines[0], rtol=1e-10)
        assert cosines[0] > 0
        length = sum(np.linalg.norm(gradients, axis=1) * cosines)
        np.testing.assert_allclose(np.linalg.norm(update), length, rtol=1e-10)


def by_definition(gradients, orders):
    """Algorithm 1 of arXiv 2001.06782, with the order of the projections of each gradient."""
    total = 0
    for i, order in enumerate(orders):
        g = gradients[i].copy()
        for j in order:
            if j != i and g @ gradients[j] < 0:
                g -= g @ gradients[j] / (gradients[j] @ gradients[j]) * gradients[j]
        total = total + g
    return total


def test_pcgrad_is_its_definition_in_one_of_the_orders_and_draws_them_all():
    gradients = np.array([[1.0, 0.0], [-1.0, 2.0], [-1.0, -1.5]])
    orders = itertools.product(itertools.permutations(range(3)), repeat=3)
    possible = np.unique(np.round([by_definition(gradients, o) for o in orders], 9), axis=0)
    update = jax.vmap(lambda count: combined(pcgrad(seed=4), jnp.asarray(gradients), count))
    found = np.unique(np.round(update(jnp.arange(200)), 9), axis=0)
    assert len(possible) == 8
    np.testing.assert_allclose(found, possible, atol=1e-8)


def test_the_order_depends_on_the_seed_and_the_step():
    gradients = np.array([[1.0, 0.0], [-1.0, 2.0], [-1.0, -1.5]])

    def six(seed):
        method = pcgrad(seed)
        return [combine(method, *gradients, count=count) for count in range(6)]

    a, same, b = np.array(six(0)), np.array(six(0)), np.array(six(1))
    np.testing.assert_array_equal(a, same)
    assert len(np.unique(a, axis=0)) > 1 and (a != b).any()


@pytest.mark.parametrize("name", METHODS)
def test_lengths_near_the_ends_of_float32_are_no_trouble(name):
    gradients = [(1.0, 0.0), (-1.0, 1.0)]
    expected = np.asarray(combine(METHODS[name], *gradients))
    for scale in (1e-30, 1e30):
        scaled = [np.array(g) * scale for g in gradients]
        found = combine(METHODS[name], *scaled, dtype="float32")
        np.testing.assert_allclose(found / scale, expected, rtol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_pytrees_and_transformations_of_jax(name):
    """Under jit, scan and vmap, and split into several arrays, it is the same update."""
    method = METHODS[name]
    gradients = np.stack([random_gradients(seed, m=2) for seed in range(4)])

    def split(vector):
        return {"bias": vector[:1], "kernel": vector[1:].reshape(2, 3)}

    def update(state, pair):
        terms = {"a": split(pair[0]), "b": split(pair[1])}
        total = jax.tree.map(jnp.add, terms["a"], terms["b"])
        updates, state = method.update(total, state, gradients_by_term=lambda: terms)
        return state, updates

    first = method.init(split(gradients[0, 0]))
    _, scanned = jax.jit(lambda g: jax.lax.scan(update, first, g))(gradients)
    _, mapped = jax.vmap(lambda g: update(first, g))(gradients)
    for k, pair in enumerate(gradients):
        expected = split(combine(method, *pair))
        for updates in (scanned, mapped):
            for part, array in expected.items():
                np.testing.assert_allclose(updates[part][k], array, rtol=1e-9)


@pytest.mark.parametrize("name", METHODS)
def test_without_the_gradients_it_says_what_to_do(name):
    params = jnp.ones(3)
    optimizer = optax.chain(METHODS[name], optax.adam(1e-3))
    with pytest.raises(ValueError, match=f"{name} needs the gradient of every loss term: call upd"):
        optimizer.update(params, optimizer.init(params), params)


# --- in a training step --------------------------------------------------------------------------

SAMPLER = pinnkit.UniformSampler(interior=8, condition=2)


def first_step(optimizer):
    loss = Loss(Line(), {"left": 0.3})
    optimizer = optax.with_extra_args_support(optimizer)
    step = TrainingStep(loss, Straight(0.5, 2.0, "float64"), optimizer, SAMPLER, np.float64)
    state = step.initial_state(0)
    return step, state, jax.jit(step.step)(state)[0]


@pytest.mark.parametrize("name", METHODS)
def test_a_training_step_hands_over_the_weighted_gradients(name):
    step, state, after = first_step(optax.chain(METHODS[name], optax.sgd(1.0)))

    def term(name, weight):
        return jax.grad(lambda p: weight * step.losses(p, state.points)[name])(state.params)

    gradients = [term("slope", 1.0), term("value", 1.0), term("left", 0.3)]
    flat = [ravel_pytree(g)[0] for g in gradients]
    moved = ravel_pytree(optax.tree.sub(state.params, after.params))[0]
    np.testing.assert_allclose(moved, combine(METHODS[name], *flat), rtol=1e-9, atol=1e-12)
    total = ravel_pytree(after.gradient)[0]
    np.testing.assert_allclose(total, sum(flat), rtol=1e-9)


def test_nothing_is_computed_for_those_who_do_not_ask(monkeypatch):
    def asked(*_):
        raise AssertionError

    monkeypatch.setattr(Loss, "gradients_by_term", asked)
    first_step(optax.adam(1e-3))
    with pytest.raises(AssertionError):
        first_step(optax.chain(pcgrad(), optax.adam(1e-3)))
