"""Points that are held, and points that go where the residual is."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import pinnkit
from pinnkit.problems import AllenCahn, Burgers, GrayScott, KortewegDeVries, Wave
from pinnkit.sampling import QuadratureSampler, ResidualSampler
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


def quadrature(problem, nodes, seed=0, **options):
    with jax.enable_x64(True):
        sampler = QuadratureSampler(nodes=nodes, **options)
        points = sampler(jax.random.key(seed), problem, jnp.float64)
        return {name: np.asarray(p) for name, p in points.items()}


def test_quadrature_integrates_polynomials_and_waves_exactly():
    """Degree 2 n - 1 in bounded coordinates, wavenumber n - 1 in periodic ones."""
    points = quadrature(Wave(), {"t": 3, "x": 4})
    (t, x), w = np.asarray(points["interior"]).T, np.asarray(points["inverse_density"])
    np.testing.assert_allclose(np.mean(w * t**5 * x**6), 1 / 6 * 1 / 7, rtol=1e-14)
    assert abs(np.mean(w * t**6) - 1 / 7) > 1e-4
    points = quadrature(KortewegDeVries(), {"t": 2, "x": 8})
    (t, x), w = np.asarray(points["interior"]).T, np.asarray(points["inverse_density"])
    waves = t**3 * (3 + np.cos(7 * np.pi * x) + np.sin(7 * np.pi * x))
    np.testing.assert_allclose(np.mean(w * waves), 3 / 4, rtol=1e-13)


def test_nodes_of_each_time_are_equally_spaced_and_shifted():
    points = quadrature(KortewegDeVries(), {"t": 5, "x": 6})
    x = np.asarray(points["interior"])[:, 1].reshape(5, 6)
    np.testing.assert_allclose(np.diff(x, axis=1), 1 / 3)
    assert len(np.unique(np.round(x[:, 0], 6))) == 5
    other = quadrature(KortewegDeVries(), {"t": 5, "x": 6}, seed=1)
    assert not np.allclose(x.ravel(), np.asarray(other["interior"])[:, 1])
    cube = quadrature(GrayScott(), {"t": 2, "x": 3, "y": 4})["interior"].reshape(2, 3, 4, 3)
    assert np.ptp(cube[..., 0], axis=(1, 2)).max() == np.ptp(cube[..., 1], axis=2).max() == 0
    assert np.ptp(cube[..., 2], axis=1).max() == 0 < np.ptp(cube[:, 0, 0, 2])


def test_conditions_have_the_nodes_of_their_free_coordinates():
    points = quadrature(Wave(), {"t": 3, "x": 4})
    gauss = (np.polynomial.legendre.leggauss(4)[0] + 1) / 2
    np.testing.assert_allclose(points["initial"], np.stack([0 * gauss, gauss], 1), atol=1e-15)
    t, x = np.asarray(points["boundary"]).T
    assert list(x) == [0] * 3 + [1] * 3 and np.allclose(t[:3], t[3:])


def test_gauss_nodes_of_a_periodic_coordinate_gather_at_its_seam():
    points = quadrature(AllenCahn(), {"t": 2, "x": 20}, gauss=("x",))
    x = np.asarray(points["interior"])[:20, 1]
    np.testing.assert_allclose(x, np.polynomial.legendre.leggauss(20)[0])
    np.testing.assert_allclose(np.mean(points["inverse_density"]), 1)


def test_quadrature_wants_nodes_for_every_coordinate():
    with pytest.raises(ValueError, match=r"nodes for each of \('t', 'x'\), got \{'x': 3\}"):
        quadrature(Burgers(), {"x": 3})
    with pytest.raises(ValueError, match="no coordinate is called 'y'"):
        quadrature(Burgers(), {"t": 2, "x": 3}, gauss=("y",))
    with pytest.raises(ValueError, match="nodes along 'x' must be a positive number, got 0"):
        QuadratureSampler(nodes={"t": 2, "x": 0})


def test_windows_have_nodes_of_their_own():
    run = pinnkit.fit_windows(
        KortewegDeVries(),
        pinnkit.network(KortewegDeVries(), width=4, depth=1, hard=False),
        optax.adam(1e-3),
        windows=2,
        steps=2,
        points=QuadratureSampler(nodes={"t": 2, "x": 3}),
        resample_every=2,
        progress=False,
    )
    assert (
        run.status == "window 2 of 2: completed 2 steps" and np.isfinite(run.history["loss"]).all()
    )


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
