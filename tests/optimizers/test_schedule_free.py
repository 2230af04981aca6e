"""Schedule-free SOAP against its three sequences, and where its result is evaluated."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from pinnkit.optimizers import (
    evaluation_params,
    schedule_free_soap,
    schedule_free_soap_with_momentum,
    soap,
)

CURVATURE = np.diag([1.0, 10.0, 100.0])
START = np.random.default_rng(0).normal(size=(3, 3))  # gradients of full rank


def quadratic(w):
    return 0.5 * jnp.sum(w * (jnp.asarray(CURVATURE, w.dtype) @ w))


def train(optimizer, steps, dtype="float64", noise=0.0):
    """Training parameters and those of evaluation after every call."""
    with jax.enable_x64(True):
        start = jnp.asarray(START, dtype)

        def step(carry, key):
            params, state = carry
            disturbance = noise * jax.random.normal(key, params.shape, dtype)
            gradient = jax.grad(quadratic)(params) + disturbance
            updates, state = optimizer.update(gradient, state, params)
            params = optax.apply_updates(params, updates)
            return (params, state), (params, evaluation_params(state, params))

        keys = jax.random.split(jax.random.key(0), steps)
        carry = (start, optimizer.init(start))
        return jax.device_get(jax.jit(lambda c: jax.lax.scan(step, c, keys)[1])(carry))


def test_it_follows_the_three_sequences():
    """z, x and y by hand round SOAP without momentum; the rate of call t is that of t, not t+1."""
    steps, b1 = 12, 0.8
    options = {"b2": 0.9, "precondition_frequency": 2, "weight_decay": 0.0}
    y_path, x_path = train(schedule_free_soap(0.125, warmup_steps=4, b1=b1, **options), steps)
    with jax.enable_x64(True):
        inner = soap(1.0, b1=0.0, **options)
        update = jax.jit(inner.update)
        x = y = z = START
        state, total = inner.init(jnp.asarray(y)), 0.0
        for t in range(steps):
            direction, state = update(jnp.asarray(CURVATURE @ y), state)
            rate = 0.125 * min(t / 4, 1)
            z = z + rate * np.asarray(direction)
            total += rate**2
            c = rate**2 / total if t else 0.0
            x = (1 - c) * x + c * z
            y = (1 - b1) * z + b1 * x
            np.testing.assert_allclose(y_path[t], y, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(x_path[t], x, rtol=1e-10, atol=1e-12)


def test_the_call_that_builds_the_bases_has_no_part_in_the_average():
    y, x = train(schedule_free_soap(0.1, warmup_steps=1, b1=0.5), 2)
    np.testing.assert_allclose([y[0], x[0]], [START, START], rtol=1e-14)
    np.testing.assert_allclose(x[1], y[1], rtol=1e-14)  # all three are the first iterate
    assert np.abs(x[1] - START).max() > 0.01


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_average_is_nearer_to_the_minimum_where_gradients_are_noisy(dtype):
    optimizer = schedule_free_soap(0.05, warmup_steps=20, b1=0.5, weight_decay=0.0)
    y, x = train(optimizer, 600, dtype, noise=3.0)
    assert x.dtype == y.dtype == dtype
    losses = [
        np.mean([0.5 * np.sum(w * (CURVATURE @ w)) for w in p[-50:]]) for p in (x, y, [START])
    ]
    assert losses[0] < 0.7 * losses[1] and losses[1] < 0.05 * losses[2]


def test_the_published_form_keeps_momentum_and_is_evaluated_where_it_stands():
    rate = optax.exponential_decay(0.1, 10, 0.5)
    optimizer = schedule_free_soap_with_momentum(rate, b1=0.7, momentum=0.9, weight_decay=0.0)
    y, evaluated = train(optimizer, 10)
    np.testing.assert_array_equal(y, evaluated)
    bare = optax.contrib.schedule_free(soap(rate, b1=0.9, weight_decay=0.0), rate, 0.7)
    expected, average = train(bare, 10)
    np.testing.assert_array_equal(y, expected)
    assert np.abs(average - y).max() > 1e-3


def test_the_average_is_found_inside_other_states():
    params = {"w": jnp.ones((2, 2))}
    optimizer = schedule_free_soap(0.1, warmup_steps=2, b1=0.5)
    state = optimizer.init(params)
    state = state._replace(z={"w": 3 * jnp.ones((2, 2))})
    for nested in (state, (optax.EmptyState(), state), {"inner": [state]}):
        np.testing.assert_allclose(evaluation_params(nested, params)["w"], -1.0)
    for other in (
        optax.adam(1.0).init(params),
        (),
        schedule_free_soap_with_momentum(0.1).init(params),
    ):
        assert evaluation_params(other, params) is params
    with pytest.raises(ValueError, match="at most one schedule-free state, found 2"):
        evaluation_params((state, state), params)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be a positive number, got 0.0"),
        ({"learning_rate": np.inf}, "learning_rate must be a positive number, got inf"),
        (
            {"learning_rate": lambda count: 1.0},
            "learning_rate must be a positive number, got <func",
        ),
        ({"warmup_steps": 0}, "warmup_steps must be an integer >= 1, got 0"),
        ({"warmup_steps": 2.5}, "warmup_steps must be an integer >= 1, got 2.5"),
        ({"b1": 0.0}, r"b1 must lie in \(0, 1\), got 0.0"),
        ({"b1": 1.0}, r"b1 must lie in \(0, 1\), got 1.0"),
        ({"b2": 1.0}, r"b2 must lie in \[0, 1\), got 1.0"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        schedule_free_soap(**{"learning_rate": 0.1, "warmup_steps": 2} | options)
    if "b1" in options:
        with pytest.raises(ValueError, match=message):
            schedule_free_soap_with_momentum(0.1, **options)
