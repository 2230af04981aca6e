"""Points that are held, and points that go where the residual is."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import pinnkit
from pinnkit.problems import (
    BENCHMARKS,
    AllenCahn,
    Burgers,
    Condition,
    GrayScott,
    KortewegDeVries,
    Wave,
)
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
    """Degree 2 n - 1 along the first coordinate, less than n periods along periodic ones."""
    points = quadrature(KortewegDeVries(), {"t": 3, "x": 8})
    (t, x), w = points["interior"].T, points["inverse_density"]
    waves = t**5 * (3 + np.cos(7 * np.pi * x) + np.sin(7 * np.pi * x))
    np.testing.assert_allclose(np.mean(w * waves), 3 / 6, rtol=1e-13)
    assert abs(np.mean(w * t**6) - 1 / 7) > 1e-4
    assert abs(np.mean(w * t * np.cos(8 * np.pi * x))) > 1e-3


def test_quadrature_of_other_bounded_coordinates_is_of_second_order():
    def error(n):
        points = quadrature(Wave(), {"t": 2, "x": n})
        (t, x), w = points["interior"].T, points["inverse_density"]
        return abs(np.mean(w * t**3 * np.exp(x)) - (np.e - 1) / 4)

    assert error(20) < 2e-3 and 3 < error(20) / error(40) < 5


def test_lines_of_nodes_are_equally_spaced_and_shifted_by_the_golden_ratio():
    points = quadrature(KortewegDeVries(), {"t": 5, "x": 6})
    t, x = points["interior"].T.reshape(2, 5, 6)
    gauss = (np.polynomial.legendre.leggauss(5)[0] + 1) / 2
    np.testing.assert_allclose(t, np.repeat(gauss[:, None], 6, axis=1))
    np.testing.assert_allclose(np.diff(x, axis=1), 1 / 3)
    shift = (x[:, 0] + 1) / 2 * 6
    np.testing.assert_allclose(np.diff(shift) % 1, (np.sqrt(5) - 1) / 2, atol=1e-12)
    other = quadrature(KortewegDeVries(), {"t": 5, "x": 6}, seed=1)
    assert not np.allclose(x.ravel(), other["interior"][:, 1])


def test_three_coordinates_have_lines_in_two_directions():
    cube = quadrature(GrayScott(), {"t": 3, "x": 4, "y": 5})["interior"].reshape(3, 4, 5, 3)
    low, high = np.asarray([GrayScott().domain[c] for c in ("x", "y")]).T
    x, y = np.moveaxis((cube[..., 1:] - low) / (high - low), -1, 0)
    assert np.ptp(cube[..., 0], axis=(1, 2)).max() == np.ptp(x, axis=2).max() == 0
    plastic = 1.324717957244746
    np.testing.assert_allclose(np.diff(4 * x[:, 0, 0]) % 1, plastic**-1, atol=1e-12)
    np.testing.assert_allclose(np.diff(5 * y[:, 0, 0]) % 1, plastic**-2, atol=1e-12)


def test_conditions_have_the_nodes_of_their_free_coordinates():
    points = quadrature(Wave(), {"t": 3, "x": 4})
    gauss = (np.polynomial.legendre.leggauss(4)[0] + 1) / 2
    np.testing.assert_allclose(points["initial"], np.stack([0 * gauss, gauss], 1), atol=1e-15)
    t, x = np.asarray(points["boundary"]).T
    assert list(x) == [0] * 3 + [1] * 3 and np.allclose(t[:3], t[3:])


@pytest.mark.parametrize("name", BENCHMARKS)
def test_quadrature_serves_every_problem(name):
    problem = getattr(pinnkit.problems, name)()
    points = quadrature(problem, dict.fromkeys(problem.coordinates, 3))
    low, high = np.asarray([problem.domain[c] for c in problem.coordinates]).T
    for region, found in points.items():
        if region != "inverse_density":
            assert ((found >= low) & (found <= high)).all(), region
    assert points["interior"].shape == (3 ** len(low), len(low))
    assert set(points) == {"interior", "inverse_density", *(c.name for c in problem.conditions())}


def test_a_condition_at_one_point_has_that_point():
    class Pinned(Wave):
        def conditions(self):
            return (Condition("corner", {"t": (0.0,), "x": (0.0, 1.0)}, lambda u, p: u(p)[0]),)

    points = quadrature(Pinned(), {"t": 2, "x": 3})
    np.testing.assert_array_equal(points["corner"], [[0, 0], [0, 1]])


def test_clustered_nodes_of_a_periodic_coordinate_gather_at_its_seam():
    points = quadrature(AllenCahn(), {"t": 3, "x": 40}, clustered=("x",))
    angles = np.arccos(points["interior"][:, 1].reshape(3, 40))
    np.testing.assert_allclose(np.diff(angles), -np.pi / 40)
    np.testing.assert_allclose(np.mean(points["inverse_density"]), 1, rtol=1e-3)
    gauss = np.polynomial.legendre.leggauss(40)[0]
    np.testing.assert_allclose(points["initial"][:, 1], gauss, atol=1e-15)


def test_quadrature_wants_nodes_for_every_coordinate():
    with pytest.raises(ValueError, match=r"nodes for each of \('t', 'x'\), got \{'x': 3\}"):
        quadrature(Burgers(), {"x": 3})
    with pytest.raises(ValueError, match="no coordinate is called 'y'"):
        quadrature(Burgers(), {"t": 2, "x": 3}, clustered=("y",))
    with pytest.raises(ValueError, match="nodes along 'x' must be a positive number, got 0"):
        QuadratureSampler(nodes={"t": 2, "x": 0})


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
