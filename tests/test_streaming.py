"""Streaming statistics against NumPy on all gradients at once, and what they mean."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnkit import streaming
from pinnkit.alignment import alignment_score


def stream(batches, groups=4):
    """Statistics of batches, shape (B, n, p), with the second term's gradient a pytree's row."""

    def step(state, batch):
        return streaming.update(state, list(batch)), None

    state = streaming.init(list(batches[0]), groups)
    return streaming.result(jax.jit(lambda b: jax.lax.scan(step, state, b)[0])(batches))


def score(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return 2 * np.sum(unit.mean(axis=0) ** 2) - 1


@pytest.mark.parametrize(
    ("dtype", "tolerance", "n_batches"), [("float32", 2e-4, 8), ("float64", 1e-11, 11)]
)
def test_it_is_numpy_on_the_stored_gradients(dtype, tolerance, n_batches):
    rng = np.random.default_rng(n_batches)
    batches = (5.0 + rng.normal(size=(n_batches, 3, 6))) * [[1.0], [30.0], [1e-2]]
    with jax.enable_x64(dtype == "float64"):
        found = stream(jnp.asarray(batches, dtype))
        assert found.mean.dtype == dtype and found.standard_error.dtype == dtype
    scores = np.array([score(b) for b in batches])
    mean = batches.mean(axis=0)
    noise = batches.var(axis=0, ddof=1).sum(axis=1)
    signal = (mean**2).sum(axis=1) - noise / n_batches
    group = np.arange(n_batches) % 4
    without = np.array([score(batches[group != k].mean(axis=0)) for k in range(4)])
    jackknife = np.sqrt(3 / 4 * np.sum((without - without.mean()) ** 2))
    assert found.count == n_batches
    for value, expected in (
        (found.mean, mean),
        (found.score, scores.mean()),
        (found.score_spread, scores.std(ddof=1)),
        (found.score_of_means, score(mean)),
        (found.standard_error, jackknife),
        (found.signal_to_noise, signal / noise),
    ):
        np.testing.assert_allclose(value, expected, rtol=10 * tolerance, atol=tolerance)


def test_pytrees_and_one_batch_at_a_time():
    rng = np.random.default_rng(0)
    batches = jnp.asarray(rng.normal(size=(9, 2, 5)), jnp.float32)
    trees = [[{"a": g[:2], "b": g[2:].reshape(1, 3)} for g in batch] for batch in batches]
    state = streaming.init(trees[0], 4)
    for tree in trees:
        state = streaming.update(state, tree)
    for a, b in zip(streaming.result(state), stream(batches), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_noise_hides_agreement_in_each_batch_but_not_in_the_mean():
    """Two terms with the same mean gradient, each under its own noise of ten times the size."""
    rng = np.random.default_rng(1)
    p, n_batches = 100, 4000
    direction = np.ones(p) / np.sqrt(p)
    noise = rng.normal(size=(n_batches, 2, p)) * 10 / np.sqrt(p)
    found = stream(jnp.asarray(direction + noise, jnp.float32), groups=8)
    assert abs(found.score) < 0.05  # 2/n - 1 = 0, although the terms agree
    assert abs(found.score_spread - 0.1) < 0.01  # 1 / sqrt(p)
    assert found.score_of_means > 0.95
    np.testing.assert_allclose(found.signal_to_noise, 0.01, rtol=0.2)


def test_the_standard_error_is_the_scatter_of_the_score_between_streams():
    rng = np.random.default_rng(2)
    streams = jnp.asarray(
        [[1.0, 0.0, 0.0], [0.5, 1.0, 0.0]] + rng.normal(size=(200, 40, 2, 3)), jnp.float32
    )
    found = jax.vmap(lambda b: stream(b, groups=8))(streams)
    scatter = np.std(found.score_of_means, ddof=1)
    assert 0.9 < np.sqrt(np.mean(found.standard_error**2)) / scatter < 1.3


def test_what_is_not_known_yet_is_nan():
    gradients = [jnp.ones(3), jnp.asarray([1.0, 0.0, 0.0])]
    state = streaming.init(gradients, 2)
    empty = streaming.result(state)
    assert all(np.isnan(value).all() for value in empty[1:-1])
    state = streaming.update(state, gradients)
    one = streaming.result(state)
    assert np.isclose(one.score, alignment_score(gradients))
    assert np.isnan(one.score_spread) and np.isnan(one.standard_error)
    assert np.isnan(one.signal_to_noise).all()
    assert np.isfinite(streaming.result(streaming.update(state, gradients)).standard_error)


def test_a_batch_without_direction_shows():
    gradients = [jnp.ones(3), jnp.zeros(3)]
    found = streaming.result(streaming.update(streaming.init(gradients, 2), gradients))
    assert np.isnan(found.score)


def test_errors():
    with pytest.raises(ValueError, match="two or more terms, got 1"):
        streaming.init([jnp.ones(3)])
    with pytest.raises(ValueError, match="groups must be an integer >= 2"):
        streaming.init([jnp.ones(3)] * 2, groups=1)
