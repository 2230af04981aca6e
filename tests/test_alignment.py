"""The score's closed forms, bounds, invariances and errors."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import pinnkit
from pinnkit.alignment import (
    alignment_by_layer,
    alignment_score,
    interference_matrix,
    normalized_interference,
)
from pinnkit.least_squares import LeastSquares
from pinnkit.terms import Loss
from pinnkit.training_step import TrainingStep


def test_two_gradients_give_their_cosine():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 7)).astype(np.float32)
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert np.isclose(alignment_score([jnp.asarray(a), jnp.asarray(b)]), cosine, atol=1e-6)


@pytest.mark.parametrize("n", [2, 3, 6])
def test_orthogonal_parallel_and_opposite(n):
    orthogonal = [3.0 * row for row in jnp.eye(n)]
    assert np.isclose(alignment_score(orthogonal), pinnkit.orthogonal_score(n), atol=1e-6)
    assert np.isclose(alignment_score([k * jnp.ones(4) for k in range(1, n + 1)]), 1.0)
    g = jnp.asarray([1.0, 2.0])
    assert np.isclose(alignment_score([g, -g]), -1.0)


def test_score_and_mean_pairwise_cosine():
    vectors = np.random.default_rng(1).normal(size=(5, 20))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    n, gram = 5, unit @ unit.T
    mean_cosine = (gram.sum() - n) / (n * (n - 1))
    expected = 2 * (1 / n + (n - 1) / n * mean_cosine) - 1
    assert np.isclose(alignment_score(list(jnp.asarray(vectors, jnp.float32))), expected, atol=1e-5)


def test_scale_does_not_matter_even_far_from_one():
    a, b = jnp.asarray([1.0, 2.0]), jnp.asarray([2.0, 1.0])
    assert np.isclose(alignment_score([1e-30 * a, 1e30 * b]), 0.8, atol=1e-6)


def test_pytrees_and_layers():
    g = {"w": jnp.asarray([[1.0, 0.0]]), "b": jnp.asarray([1.0])}
    h = {"w": jnp.asarray([[0.0, 1.0]]), "b": jnp.asarray([-1.0])}
    assert np.isclose(alignment_score([g, h]), -0.5)
    layers = alignment_by_layer([g, h])
    assert np.isclose(layers["w"], 0.0, atol=1e-6) and np.isclose(layers["b"], -1.0)


def test_errors_say_what_is_wrong():
    v = jnp.ones(3)
    for bad in ([], [v], v):
        with pytest.raises(ValueError, match="two or more gradients"):
            alignment_score(bad)
    with pytest.raises(ValueError, match="gradient 1 has shapes"):
        alignment_score([v, jnp.ones(4)])
    with pytest.raises(ValueError, match="gradient 1 has shapes"):
        alignment_score([{"a": v}, {"b": v}])
    with pytest.raises(ValueError, match="gradient 1 is zero"):
        alignment_score([v, 0 * v])
    with pytest.raises(ValueError, match="gradient 0 is not finite"):
        alignment_score([v * jnp.nan, v])
    with pytest.raises(TypeError, match="int32.*expected floats"):
        alignment_score([v, jnp.ones(3, jnp.int32)])
    with pytest.raises(ValueError, match="is empty"):
        alignment_score([{}, {}])
    with pytest.raises(ValueError, match="positive integer"):
        pinnkit.orthogonal_score(0)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_under_jit_a_gradient_without_direction_gives_nan(bad):
    assert np.isnan(jax.jit(alignment_score)([jnp.ones(3), bad * jnp.ones(3)]))


def test_interference_is_the_first_order_change_of_each_term():
    rng = np.random.default_rng(2)
    with jax.enable_x64(True):
        centers = jnp.asarray(rng.normal(size=(3, 4)))
        theta = jnp.asarray(rng.normal(size=4))
        scale = jnp.asarray([1.0, 2.0, 3.0, 4.0])
        terms = [lambda x, c=c: jnp.sum((x - c) ** 4) for c in centers]
        gradients = [jax.grad(f)(theta) for f in terms]
        matrix = interference_matrix(gradients, lambda g: g / scale)
        for k, g in enumerate(gradients):
            changes = [jax.jvp(f, (theta,), (-g / scale,))[1] for f in terms]
            np.testing.assert_allclose(matrix[:, k], changes, rtol=1e-12)


def test_gauss_newton_does_not_interfere_when_the_jacobian_has_full_row_rank():
    rng = np.random.default_rng(3)
    with jax.enable_x64(True):
        jacobians = [jnp.asarray(rng.normal(size=(k, 12))) for k in (3, 4)]
        gradients = [j.T @ jnp.asarray(rng.normal(size=len(j))) for j in jacobians]
        whole = jnp.concatenate(jacobians)
        inverse = jnp.linalg.pinv(whole.T @ whole)
        plain = interference_matrix(gradients)
        newton = interference_matrix(gradients, lambda g: inverse @ g)
    newton, plain = np.array(newton), np.array(plain)
    assert abs(newton[0, 1]) < 1e-10 * abs(newton[0, 0])
    assert abs(plain[0, 1]) > 1e-3 * abs(plain[0, 0])


def test_gauss_newton_on_a_small_network_scores_as_orthogonal_in_its_own_metric():
    """With more parameters than residuals J has full row rank: J (J^T J)^+ J^T is the identity."""
    problem = pinnkit.problems.Wave()
    with jax.enable_x64(True):
        network = pinnkit.network(problem, width=4, depth=2, dtype="float64")
        points = pinnkit.UniformSampler(interior=4, condition=2)
        step = TrainingStep(Loss(problem), network, optax.sgd(0.1), points, jnp.float64)
        state = step.initial_state(0)
        gradients = jax.jit(jax.jacrev(lambda p: step.losses(p, state.points)))(state.params)
        residuals = LeastSquares(step.loss, step.network, state.points)
        _, jacobian = jax.jit(residuals.jacobian)(state.params)
        names = step.loss.terms
        gradients = [ravel_pytree(gradients[n])[0] for n in names]
        inverse = jnp.linalg.pinv(jacobian.T @ jacobian, rtol=1e-12)
        newton = normalized_interference(interference_matrix(gradients, lambda g: inverse @ g))
        plain = normalized_interference(interference_matrix(gradients))
        score = alignment_score(gradients)
    newton, plain = np.array(newton), np.array(plain)
    assert len(names) >= 3 and jacobian.shape[0] < jacobian.shape[1]
    np.testing.assert_allclose(newton, -np.eye(len(names)), atol=1e-5)
    assert np.isclose(-2 * newton.mean() - 1, pinnkit.orthogonal_score(len(names)), atol=1e-5)
    assert np.abs(plain + np.eye(len(names))).max() > 0.1
    np.testing.assert_allclose(-2 * plain.mean() - 1, score, rtol=1e-10)


def test_normalized_interference_is_bounded_and_free_of_scale():
    rng = np.random.default_rng(4)
    with jax.enable_x64(True):
        for _ in range(20):
            gradients = list(jnp.asarray(rng.normal(size=(4, 6))))
            root = jnp.asarray(rng.normal(size=(6, 6)))
            matrix = interference_matrix(gradients, lambda g, r=root: r @ (r.T @ g))
            normalized = normalized_interference(matrix)
            moved = [root.T @ g for g in gradients]
            cosines = [[alignment_score([a, b]) for b in moved] for a in moved]
            np.testing.assert_allclose(normalized, -np.array(cosines), atol=1e-10)
            scaled = [w * g for w, g in zip((1.0, 1e3, 1e-3, 7.0), gradients, strict=True)]
            again = interference_matrix(scaled, lambda g, r=root: 9 * r @ (r.T @ g))
            np.testing.assert_allclose(normalized_interference(again), normalized, atol=1e-10)
        assert np.abs(normalized).max() <= 1 + 1e-12
        stacked = normalized_interference(jnp.stack([matrix, again]))
        np.testing.assert_allclose(stacked[0], stacked[1], atol=1e-10)
    uphill = np.asarray(normalized_interference(jnp.asarray([[1.0, 0.5], [0.5, -1.0]])))
    assert np.isnan(uphill).sum() == 3 and uphill[1, 1] == -1


def test_by_layer_after_a_preconditioner_that_mixes_layers():
    g = {"w": jnp.asarray([1.0, 0.0]), "b": jnp.asarray([1.0, 1.0])}
    h = {"w": jnp.asarray([0.0, 1.0]), "b": jnp.asarray([1.0, 1.0])}
    layers = alignment_by_layer([g, h], lambda t: {"w": t["w"] + t["b"], "b": -t["b"]})
    assert np.isclose(layers["w"], 0.8, atol=1e-6) and np.isclose(layers["b"], 1.0)
    assert np.isclose(alignment_by_layer([g, h])["w"], 0.0, atol=1e-6)


def test_unrelated_gradients_are_orthogonal_within_the_root_of_their_dimension():
    rng = np.random.default_rng(5)
    for n, d in ((2, 400), (5, 400)):
        scores = [alignment_score(list(jnp.asarray(rng.normal(size=(n, d))))) for _ in range(40)]
        assert abs(np.mean(scores) - pinnkit.orthogonal_score(n)) < 1 / np.sqrt(d)
        assert np.std(scores) < 1 / np.sqrt(d)


def test_successive_gradients_on_a_quadratic():
    """At the edge of stability the stiff part flips its sign while it lasts; Newton has none."""
    curvature = jnp.asarray([100.0, 1.0])
    for rate, start, expected in ((1.9 / 100, [1.0, 1.0], -1.0), (0.5 / 100, [1.0, 1.0], 1.0)):
        g = jnp.asarray(start) * curvature
        following = g - rate * curvature * g
        assert np.isclose(alignment_score([g, following]), expected, atol=1e-3)
    for _ in range(200):  # 0.9^200: the stiff part has died out
        g = g - 1.9 / 100 * curvature * g
    assert np.isclose(alignment_score([g, g - 1.9 / 100 * curvature * g]), 1.0, atol=1e-3)
    g = jnp.asarray([100.0, 1.0])
    newton = g - 0.3 * curvature * (g / curvature)
    assert np.isclose(alignment_score([g, newton]), 1.0, atol=1e-6)
    assert np.isclose(alignment_score([g, g - 1.3 * g]), -1.0, atol=1e-6)  # beyond a full step
