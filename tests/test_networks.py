"""Architectures: shapes, exact periodicity, factorization, hard conditions, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import pinnkit
from pinnkit.embeddings import CoordinateEmbedding
from pinnkit.networks import ARCHITECTURES, Dense, check_network
from pinnkit.problems import AllenCahn, Burgers, Wave
from pinnkit.windowed_network import InWindow

POINT = jnp.asarray([0.3, 0.7])


@pytest.mark.parametrize("kind", ARCHITECTURES)
@pytest.mark.parametrize("fourier_features", [0, 8])
def test_exactly_periodic_with_all_derivatives(kind, fourier_features):
    problem = Burgers()
    network = pinnkit.network(
        problem,
        kind,
        width=8,
        depth=2,
        harmonics=2,
        fourier_features=fourier_features,
        dtype="float64",
    )
    with jax.enable_x64(True):
        derivatives = [
            np.array(pinnkit.partials(problem.field(network), jnp.asarray(p), "u u_x u_xx u_xt"))
            for p in ([0.3, -1.0], [0.3, 1.0])
        ]
    np.testing.assert_allclose(*derivatives, atol=1e-11)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_dtype_shape_and_seed(kind):
    for dtype in ("float32", "float64"):
        network = pinnkit.network(Wave(), kind, width=8, depth=1, dtype=dtype, factorized=True)
        dtypes = {leaf.dtype.name for leaf in jax.tree.leaves(nnx.state(network))}
        assert dtypes == {dtype}
    values = [pinnkit.network(Wave(), kind, seed=s, width=8)(POINT) for s in (0, 0, 1)]
    assert values[0].shape == (1,)
    assert values[0] == values[1] != values[2]


def test_factorized_layer_starts_as_the_plain_one():
    plain, factorized = (Dense(3, 4, factorized=f, rngs=nnx.Rngs(0)) for f in (False, True))
    x = jnp.asarray([1.0, -2.0, 0.5])
    np.testing.assert_allclose(plain(x), factorized(x), rtol=1e-5)
    assert factorized.log_scale[...].shape == (4,)


def test_a_fresh_pirate_net_is_linear_in_its_embedding():
    network = pinnkit.network(Wave(), "PirateNet", width=8, depth=2)
    a, b = jnp.asarray([0.1, 0.9]), jnp.asarray([0.7, 0.3])
    np.testing.assert_allclose(network((a + b) / 2), (network(a) + network(b)) / 2, atol=1e-6)


@pytest.mark.parametrize("problem", [Burgers(), Wave()])
def test_hard_conditions_hold_exactly(problem):
    network = pinnkit.network(problem, hard=True, width=8, dtype="float64")
    assert network.hard_terms == problem.hard_terms
    with jax.enable_x64(True):
        field = problem.field(network)
        for condition in problem.conditions():
            for name, values in condition.at.items():
                for value in values:
                    point = jnp.asarray([0.37, 0.41]).at[problem.coordinates.index(name)].set(value)
                    assert abs(condition.residual(field, point)) < 1e-14


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "KAN"}, "unknown architecture 'KAN': expected one of MLP"),
        ({"activation": "relu"}, "unknown activation 'relu'"),
        ({"dtype": "float16"}, "unknown dtype 'float16'"),
        ({"width": 0}, "width must be an integer >= 1, got 0"),
        ({"depth": 1.5}, "depth must be an integer >= 1, got 1.5"),
        ({"width": True}, "width must be an integer >= 1, got True"),
        ({"seed": 0.5}, "seed must be an integer >= 0, got 0.5"),
        ({"fourier_features": -2}, "fourier_features must be an integer >= 0, got -2"),
        ({"harmonics": 0}, "harmonics must be an integer >= 1"),
        ({"harmonics": {"x": 0}}, "harmonics must be an integer >= 1 along 'x', got 0"),
        ({"harmonics": {"t": -1}}, "harmonics must be an integer >= 0 along 't', got -1"),
        ({"harmonics": {"y": 2}}, r"harmonics name \['y'\], not among \('t', 'x'\)"),
        ({"harmonic_decay": -1.0}, "decay of the harmonics must be >= 0 and finite, got -1.0"),
        ({"harmonic_decay": np.nan}, "decay of the harmonics must be >= 0 and finite, got nan"),
        ({"fourier_features": 7}, "must be even"),
        ({"fourier_features": 8, "fourier_scale": -1.0}, "scale of Fourier features"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        pinnkit.network(Burgers(), **options)


def test_numbers_may_be_numpys(tmp_path):
    """Those that a loop over an array gives; the network is saved and loaded all the same."""
    sizes = {"width": 8, "depth": 1, "harmonics": 2, "fourier_features": 4, "seed": 3}
    plain = pinnkit.network(Burgers(), fourier_scale=2.0, **sizes)
    numpys = {name: np.int64(size) for name, size in sizes.items()}
    module = pinnkit.network(Burgers(), fourier_scale=np.float32(2), hard=np.False_, **numpys)
    assert module.spec == plain.spec
    assert module(POINT) == plain(POINT)
    path = pinnkit.Run(Burgers(), module).save(tmp_path / "run")
    assert pinnkit.load(path).network(POINT) == plain(POINT)


@pytest.mark.parametrize("kind", ARCHITECTURES)
@pytest.mark.parametrize("fourier_features", [0, 8])
@pytest.mark.parametrize("shape", [(3,), (1,), (), (5, 2)])
def test_points_of_another_shape(kind, fourier_features, shape):
    network = pinnkit.network(Wave(), kind, width=8, depth=1, fourier_features=fourier_features)
    expected = r"\('t', 'x'\) takes one point of shape \(2,\), got \(.*\): batch with jax.vmap"
    with pytest.raises(ValueError, match=expected):
        network(jnp.zeros(shape))


@pytest.mark.parametrize("problem", [Burgers, "Burgers", None])
def test_what_is_no_problem(problem):
    with pytest.raises(TypeError, match=r"problem must be a problem, .*Burgers\(\), got"):
        pinnkit.network(problem)


def test_networks_that_do_not_fit_the_problem():
    problem = Burgers()
    with pytest.raises(ValueError, match=r"cannot be applied to a point of shape \(2,\)"):
        check_network(problem, lambda p: jnp.zeros((3, 1)).T @ p, jnp.float32)
    with pytest.raises(ValueError, match=r"one value for each field \('u',\), shape \(1,\)"):
        check_network(problem, lambda p: jnp.zeros(2) * p[0], jnp.float32)
    check_network(problem, lambda p: p[0], jnp.float32)


def test_harmonics_by_coordinate():
    """The features of a string: t itself, x itself, and the half-range waves of both."""
    embedding = CoordinateEmbedding({"t": (0.0, 2.0), "x": (1.0, 4.0)}, (), {"t": 1, "x": 2})
    t, x = 0.3, 1.7
    along_t, along_x = np.pi * t / 2, np.pi * (x - 1) / 3
    expected = [t - 1, np.cos(along_t), np.sin(along_t), (2 * x - 5) / 3]
    expected += [np.cos(along_x), np.cos(2 * along_x), np.sin(along_x), np.sin(2 * along_x)]
    np.testing.assert_allclose(embedding(jnp.asarray([t, x])), expected, rtol=1e-5, atol=1e-6)
    assert embedding.size == 8
    periodic = CoordinateEmbedding({"t": (0.0, 2.0), "x": (1.0, 4.0)}, ("x",), {"t": 1})
    assert periodic.size == 5
    once = CoordinateEmbedding({"t": (0.0, 2.0), "x": (1.0, 4.0)}, ("x",), {"x": 3})
    also = CoordinateEmbedding({"t": (0.0, 2.0), "x": (1.0, 4.0)}, ("x",), 3)
    point = jnp.asarray([t, x])
    np.testing.assert_array_equal(once(point), also(point))


def test_a_decay_is_saved_and_its_absence_is_not(tmp_path):
    """So that runs saved by earlier versions, which knew no decay, can still be loaded."""
    assert "decay" not in pinnkit.network(Burgers(), width=4, depth=1).spec
    module = pinnkit.network(Burgers(), width=4, depth=1, harmonics=3, harmonic_decay=1.5)
    path = pinnkit.Run(Burgers(), module).save(tmp_path / "run")
    np.testing.assert_array_equal(pinnkit.load(path).network(POINT), module(POINT))


def test_short_waves_can_be_made_small():
    domain, point = {"t": (0.0, 2.0), "x": (1.0, 4.0)}, jnp.asarray([0.3, 1.7])
    equal = CoordinateEmbedding(domain, ("x",), 3)(point)
    falling = CoordinateEmbedding(domain, ("x",), 3, decay=1.5)(point)
    sizes = np.asarray([1, 2**-1.5, 3**-1.5])
    np.testing.assert_allclose(falling, equal * np.concatenate([[1], sizes, sizes]), rtol=1e-6)


def test_an_enrichment_is_added_in_windows_at_the_true_time():
    problem = AllenCahn()
    plain = pinnkit.network(problem, width=8, dtype="float64")
    enriched = pinnkit.network(problem, enriched=True, width=8, dtype="float64")
    with jax.enable_x64(True):
        point = jnp.asarray([0.06, 0.99])
        added = problem.enrichment(point)
        np.testing.assert_allclose(enriched(point), plain(point) + added)
        inside = InWindow(enriched, problem, (0.05, 0.2))
        np.testing.assert_allclose(
            inside(point), InWindow(plain, problem, (0.05, 0.2))(point) + added
        )


def test_the_enrichment_of_allen_cahn_takes_the_kink_away():
    problem = AllenCahn()
    with jax.enable_x64(True):
        near = jnp.linspace(1 - 1e-3, 1, 5)
        left = [problem.initial(jnp.stack([0.0, x])) - problem.enrichment(jnp.stack([0.0, x]))[0]
                for x in near]  # fmt: skip
        slope = np.diff(np.asarray(left)) / np.diff(near)
        assert np.abs(slope).max() < 0.01  # of the initial state itself: 2
        u, t, x = problem.enrichment, 0.03, 0.995
        u_t, u_x = jax.jacfwd(u)(jnp.asarray([t, x]))[0]
        u_xx = jax.hessian(lambda p: u(p)[0])(jnp.asarray([t, x]))[1, 1]
        rest = u_t - problem.diffusion * u_xx + 2 * problem.reaction * u(jnp.asarray([t, x]))[0]
        assert abs(rest) < 0.01 * problem.diffusion * abs(u_xx) and abs(u_x) > 0.1


def test_an_enrichment_must_exist_and_be_alone():
    with pytest.raises(ValueError, match="enrichment, which Burgers does not have"):
        pinnkit.network(Burgers(), enriched=True)
    with pytest.raises(ValueError, match="choose one of the two"):
        pinnkit.network(AllenCahn(), enriched=True, hard=True)
