"""Points that are held, and points that go where the residual is."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import pinnkit
from pinnkit.problems import Burgers
from pinnkit.sampling import ResidualSampler
from pinnkit.terms import Loss
from pinnkit.training_step import TrainingStep

PROBLEM = Burgers()


def peak(points):
    """A squared residual that lives in a thin layer around x = 0; its mean is known."""
    return jnp.exp(-((points[:, 1] / 0.02) ** 2))


def draw(sampler, seed=0):
    return sampler(jax.random.key(seed), PROBLEM, jnp.float32, peak)


def test_points_gather_where_the_residual_is_large():
    points = draw(ResidualSampler(interior=1000, condition=7))
    x = points["interior"][:, 1]
    assert points["interior"].shape == (1000, 2) and points["initial"].shape == (7, 2)
    assert 0.4 < np.mean(np.abs(x) < 0.06) < 0.6 and np.mean(np.abs(x) > 0.5) > 0.2
    times = np.sort(points["interior"][:, 0])
    assert np.histogram(times, 10, (0, 1))[0].min() > 50


def test_weighted_means_are_those_of_the_domain_and_less_noisy():
    exact = 0.02 * np.sqrt(np.pi) / 2
    uniform, adaptive = [], []
    for seed in range(40):
        points = draw(ResidualSampler(interior=500, pool=16), seed)
        adaptive.append(float(jnp.mean(points["inverse_density"] * peak(points["interior"]))))
        plain = pinnkit.UniformSampler(interior=500)(jax.random.key(seed), PROBLEM, jnp.float32)
        uniform.append(float(jnp.mean(peak(plain["interior"]))))
        assert abs(jnp.mean(points["inverse_density"]) - 1) < 0.2
    assert abs(np.mean(adaptive) / exact - 1) < 0.05
    assert np.std(adaptive) < np.std(uniform) / 2


def test_sizes_may_be_integers_of_numpy():
    for sampler in (pinnkit.UniformSampler, ResidualSampler):
        theirs, ours = (
            sampler(interior=np.int64(5), condition=np.int32(3)),
            sampler(interior=5, condition=3),
        )
        assert theirs == ours and type(theirs.interior) is int


def test_without_a_residual_the_points_are_uniform():
    points = ResidualSampler(interior=100)(
        jax.random.key(0), PROBLEM, jnp.float32, lambda p: 0 * p[:, 0]
    )
    np.testing.assert_allclose(points["inverse_density"], 1)


def test_points_are_held_for_the_steps_asked_for():
    network = pinnkit.network(PROBLEM, width=4, depth=1)
    sampler = ResidualSampler(interior=20, condition=5)
    step = TrainingStep(Loss(PROBLEM), network, optax.adam(1e-3), sampler, jnp.float32, hold=3)
    advance = jax.jit(step.step)
    state, seen = step.initial_state(0), []
    for _ in range(7):
        seen.append(np.asarray(state.points["interior"]))
        state, _ = advance(state)
    same = [bool((a == b).all()) for a, b in itertools.pairwise(seen)]
    assert same == [True, True, False, True, True, False]


def test_a_run_with_held_points_is_continued_bit_for_bit(tmp_path):
    def train(steps, checkpoint):
        return pinnkit.fit(
            PROBLEM,
            pinnkit.network(PROBLEM, width=4, depth=1),
            optax.adam(1e-2),
            steps=steps,
            points=ResidualSampler(interior=20, condition=5),
            resample_every=4,
            monitor_every=2,
            checkpoint=checkpoint,
            checkpoint_every=2,
            progress=False,
        )

    whole = train(10, tmp_path / "whole")
    train(6, tmp_path / "parts")
    parts = train(10, tmp_path / "parts")
    assert list(whole.history["loss"]) == list(parts.history["loss"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"interior": 0}, "interior must be a positive number of points, got 0"),
        ({"pool": 1.5}, "pool must be a positive number of points, got 1.5"),
        ({"mixed": 0.0}, r"mixed must lie in \(0, 1\], got 0.0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        ResidualSampler(**options)
