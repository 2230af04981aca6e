"""The equation and its conditions against the reference, which knows nothing of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.polynomial import chebyshev

from pinnkit.problems.rayleigh_taylor import RayleighTaylor
from pinnkit.references._stokes_modes import Layer
from pinnkit.references.rayleigh_taylor import X, Y, evolve, from_grid, snapshot

PHYSICS = {"rayleigh": 1e6, "prandtl": 0.71}
VISCOSITY, DIFFUSIVITY = np.sqrt(0.71 / 1e6), 1 / np.sqrt(0.71 * 1e6)
INTERVAL = 0.05


@pytest.fixture(scope="module")
def problem():
    return RayleighTaylor()


@pytest.fixture(scope="module")
def initial():
    return snapshot(**PHYSICS)


def run(initial, modes, degree):
    """u, v and T at nine times, shape (9, 3, 64, 97), from the snapshot on."""
    layer = Layer(modes, degree, VISCOSITY, DIFFUSIVITY)
    times = INTERVAL * np.arange(9)
    return evolve(layer, from_grid(layer, initial), times, 5)[:, :, :-1]


@pytest.fixture(scope="module")
def states(initial):
    return run(initial, 24, 96)


def wave_numbers(n):
    k = 2j * np.pi * np.arange(n // 2 + 1)
    k[-1] = 0
    return k[:, None]


def along_x(f):
    return np.fft.irfft(wave_numbers(64) * np.fft.rfft(f, axis=-2), 64, axis=-2)


def along_y(f):
    interpolate = np.linalg.inv(chebyshev.chebvander(Y - 1, len(Y) - 1))
    differentiate = chebyshev.chebvander(Y - 1, len(Y) - 2) @ chebyshev.chebder(np.eye(len(Y)))
    return f @ (differentiate @ interpolate).T


def with_pressure(fields, fields_t):
    """u, v, p and T, and their derivatives along t, x and y: shapes (4, 64, 97), (3, 4, 64, 97).

    p follows from the x-component of the momentum equation and, as to its mean over x, from the
    y-component: what is left is one equation that it need not satisfy.
    """
    (u, v, temperature), (u_t, v_t, _) = fields, fields_t
    laplacian = along_x(along_x(fields)) + along_y(along_y(fields))
    p_x = VISCOSITY * laplacian[0] - u_t - u * along_x(u) - v * along_y(u)
    p_y = VISCOSITY * laplacian[1] + temperature - v_t - u * along_x(v) - v * along_y(v)
    k = wave_numbers(64)
    k[[0, -1]] = np.inf
    p = np.fft.irfft(np.fft.rfft(p_x, axis=0) / k, 64, axis=0)
    everything = np.stack([u, v, p, temperature])
    in_y = along_y(everything)
    in_y[2] += p_y.mean(axis=0)
    in_t = np.stack([u_t, v_t, np.zeros_like(p), fields_t[2]])
    return everything, np.stack([in_t, along_x(everything), in_y])


def residual_sizes(problem, states, stride):
    """Root mean square of each residual in the middle of the run, relative to that of u_t.

    At every grid point the field is a Taylor polynomial; t by central differences of fourth order.
    What a Galerkin method leaves over gathers at the walls, where its test functions, too, are
    small like (y (2 - y))^2: this is the weight in the mean.
    """
    far, near = (states[4 + i * stride] - states[4 - i * stride] for i in (2, 1))
    fields_t = (8 * near - far) / (12 * stride * INTERVAL)
    values, first = with_pressure(states[4], fields_t)
    second = np.stack([np.zeros_like(values), along_x(first[1]), along_y(along_y(values))])

    def residual(point, value, slope, curvature):
        def polynomial(q):
            return value + (q - point) @ slope + (q - point) ** 2 @ curvature / 2

        return problem.residual(problem.field(polynomial), point)

    t, x, y = np.meshgrid([4 * INTERVAL], X[:-1], Y, indexing="ij")
    points = np.stack([t, x, y], axis=-1).reshape(-1, 3)
    with jax.enable_x64(True):
        rows = jax.jit(jax.vmap(residual))(
            points,
            values.reshape(4, -1).T,
            np.moveaxis(first.reshape(3, 4, -1), -1, 0),
            np.moveaxis(second.reshape(3, 4, -1), -1, 0),
        )
    scale = np.sqrt(np.mean(fields_t[0] ** 2))
    weight = (points[:, 2] * (2 - points[:, 2])) ** 2
    return {
        name: float(np.sqrt(np.mean((weight * np.asarray(row)) ** 2)) / scale)
        for name, row in rows.items()
    }


TIMED = ("momentum_y", "heat")  # of the x-component p leaves nothing but rounding


def test_the_reference_satisfies_the_equation(problem, states):
    coarse, fine = (residual_sizes(problem, states, stride) for stride in (2, 1))
    assert set(fine) == {"momentum_x", "momentum_y", "heat", "continuity"}
    assert max(fine.values()) < 1e-3
    for name in TIMED:
        assert coarse[name] / fine[name] == pytest.approx(16, rel=0.3), name


def test_residuals_shrink_with_the_modes_of_the_reference(problem, initial, states):
    few, many = (residual_sizes(problem, s, 1) for s in (run(initial, 8, 40), states))
    for name in TIMED:
        assert few[name] > 10 * many[name], name


@pytest.mark.parametrize(
    ("name", "physics"),
    [("momentum_y", {"prandtl": 0.6}), ("heat", {"rayleigh": 0.8e6})],
)
def test_other_numbers_have_other_solutions(states, name, physics):
    sizes = residual_sizes(RayleighTaylor(**physics), states, 1)
    assert sizes[name] > 1e-3


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-6)])
def test_the_initial_condition_is_the_first_state_of_the_reference(problem, dtype, tolerance):
    first = np.stack([problem.reference().values[name][0] for name in ("u", "v", "T")])
    x, y = np.meshgrid(X, Y, indexing="ij")
    with jax.enable_x64(dtype == "float64"):
        points = jnp.asarray(np.stack([0 * x, x, y], axis=-1).reshape(-1, 3), dtype)
        values = jax.jit(jax.vmap(problem.initial))(points)
    assert values.dtype == dtype
    np.testing.assert_allclose(values.T.reshape(first.shape), first, atol=tolerance)


def test_the_initial_condition_is_free_of_divergence_between_the_grid_points(problem):
    points = np.random.default_rng(0).uniform([0, 0, 0.01], [0, 1, 1.99], (50, 3))
    with jax.enable_x64(True):
        gradient = jax.vmap(jax.jacfwd(problem.initial))(points)
    u_x, v_y = gradient[:, 0, 1], gradient[:, 1, 2]
    assert np.abs(u_x).max() > 0.1
    np.testing.assert_allclose(u_x, -v_y, atol=1e-3)


def test_conditions(problem):
    initial, walls = problem.conditions()
    assert (initial.name, initial.at) == ("initial", {"t": (0.0,)})
    assert (walls.name, walls.at) == ("walls", {"y": (0.0, 2.0)})
    field = problem.field(lambda q: jnp.array([1.0, 2.0, 3.0, 4.0]))
    point = jnp.array([0.0, 0.25, 0.75])
    np.testing.assert_allclose(walls.residual(field, point), [1, 2, 4])
    np.testing.assert_allclose(
        initial.residual(field, point), jnp.array([1.0, 2.0, 4.0]) - problem.initial(point)
    )


def test_hard_walls(problem):
    output = jnp.array([1.0, 2.0, 3.0, 4.0])
    assert problem.hard_terms == ("walls",)
    for y in (0.0, 2.0):
        imposed = problem.impose(jnp.array([0.3, 0.2, y]), output)
        np.testing.assert_array_equal(imposed, [0, 0, 3, 0])
    np.testing.assert_allclose(problem.impose(jnp.array([0.3, 0.2, 1.0]), output), output)


def test_pressure_is_not_compared(problem):
    values = dict.fromkeys(problem.fields, 1.0)
    assert set(problem.observables(values)) == {"u", "v", "T"}
    assert set(problem.observables(problem.reference().values)) == {"u", "v", "T"}


def test_wrong_numbers_are_refused_at_once():
    with pytest.raises(ValueError, match="prandtl must be positive and finite, got -1"):
        RayleighTaylor(prandtl=-1)
    with pytest.raises(ValueError, match=r"at rayleigh=1e\+08, prandtl=0.71 the flow is too fine"):
        RayleighTaylor(rayleigh=1e8)
