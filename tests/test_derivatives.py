"""Taylor-mode derivatives against nested differentiation, jet and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import jet

import pinnkit
from pinnkit.derivatives import Field, along, laplacian, partials
from pinnkit.taylor import downward_closure, taylor_coefficients

POINT = (0.37, 0.81)
NAMES = "u u_t u_x u_tt u_tx u_xx u_ttt u_txx u_xxxx u_ttxx"

KERNEL = np.random.default_rng(0).normal(size=(2, 5))
READOUT = np.random.default_rng(1).normal(size=5)


def _layer(activation):
    return lambda p: activation(p @ KERNEL) @ READOUT


FUNCTIONS = {
    "tanh": _layer(jnp.tanh),
    "swish": _layer(jax.nn.silu),
    "sin": _layer(jnp.sin),
    "gelu": _layer(lambda z: jax.nn.gelu(z, approximate=False)),
    "softplus": _layer(jax.nn.softplus),
    "quotient": lambda p: jnp.exp(p[0] * p[1]) / (1 + p[1] ** 2),
    "roots": lambda p: jnp.sqrt(2 + p[0]) * jax.lax.rsqrt(1 + p[1]) * (1 + p[0]) ** 2.5,
    "powers": lambda p: p[0] ** 3 * p[1] ** -2 + 2.0 ** p[0] + (1 + p[0] ** 2) ** p[1],
    "hyperbolic": lambda p: jnp.sinh(p[0]) * jnp.cosh(p[1]),
    "logarithm": lambda p: jnp.log(3 + p[0] * p[1]) + jnp.log1p(p[0]) * jnp.expm1(p[1]),
    "atan": lambda p: jnp.arctan(p[0] * p[1]),
    "erf": lambda p: jax.scipy.special.erf(p[0] * p[1]) * jax.scipy.special.erfc(p[0]),
    "branches": lambda p: (
        jnp.where(p[0] > 0, p[0] ** 4, p[1]) + jnp.abs(-p[1]) * jnp.maximum(p[0], p[1])
    ),
    "both factors": lambda p: jnp.dot(jnp.stack([p[0], p[1] ** 2]), jnp.sin(p)),
    "parts": lambda p: jnp.sum(jnp.split(jnp.sin(KERNEL.T @ p)[:4], 2)[1] ** 3),
    "no dependence": lambda p: jnp.float64(3.0),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_rule_agrees_with_nested_differentiation(name):
    with jax.enable_x64(True):
        field = Field(FUNCTIONS[name], ("t", "x"))
        point = jnp.asarray(POINT)
        taylor = partials(field, point, NAMES)
        nested = partials(field, point, NAMES, method="nested")
    np.testing.assert_allclose(np.array(taylor), np.array(nested), rtol=1e-12, atol=1e-12)


def test_one_direction_agrees_with_jet_up_to_order_4():
    with jax.enable_x64(True):
        point = jnp.asarray(POINT)
        function = FUNCTIONS["tanh"]
        e_x, zero = jnp.asarray([0.0, 1.0]), jnp.zeros(2)
        value, series = jet.jet(function, (point,), ((e_x, zero, zero, zero),))
        ours = along(Field(function, ("t", "x")), point, "x", order=4)
    np.testing.assert_allclose(np.array(ours), np.array([value, *series]), rtol=1e-12)


def test_closed_form_and_laplacian():
    with jax.enable_x64(True):
        field = Field(
            lambda p: jnp.exp(-p[0]) * jnp.sin(2 * p[1]) * jnp.cos(3 * p[2]), ("t", "x", "y")
        )
        point = jnp.asarray([0.2, 0.5, -0.4])
        u, u_t, u_xy = partials(field, point, "u u_t u_xy")
        lap = laplacian(field, point)
    u, u_t, u_xy, lap = map(float, (u, u_t, u_xy, lap))
    assert np.isclose(u_t, -u, rtol=1e-14)
    assert np.isclose(lap, -(4 + 9) * u, rtol=1e-13)
    assert np.isclose(u_xy, np.exp(-0.2) * 2 * np.cos(1.0) * -3 * np.sin(-1.2), rtol=1e-13)


def test_fields_by_name_and_batching():
    field = Field(lambda p: jnp.stack([p[0] * p[1], p[1] ** 3]), ("t", "x"), ("v", "w"))
    points = jnp.asarray([[1.0, 2.0], [3.0, 4.0]])
    v_t, w_xx = jax.vmap(lambda p: partials(field, p, "v_t w_xx"))(points)
    np.testing.assert_allclose(v_t, [2.0, 4.0])
    np.testing.assert_allclose(w_xx, [12.0, 24.0])


def test_works_on_every_architecture_and_under_gradients():
    problem = pinnkit.problems.Burgers()
    for kind in ("MLP", "ModifiedMLP", "PirateNet"):
        network = pinnkit.network(
            problem,
            kind,
            width=8,
            depth=2,
            fourier_features=8,
            factorized=True,
            hard=True,
            dtype="float64",
            activation="swish",
        )
        with jax.enable_x64(True):
            point = jnp.asarray(POINT)
            by_taylor, by_nesting = (
                jax.grad(
                    lambda p, n=network, m=method: partials(problem.field(n), p, "u_xx", method=m)[
                        0
                    ]
                )(point)
                for method in ("taylor", "nested")
            )
        np.testing.assert_allclose(by_taylor, by_nesting, rtol=1e-10)


def test_only_what_is_below_a_wanted_derivative_is_computed():
    assert downward_closure([(0, 2), (1, 0)]) == ((0, 0), (0, 1), (1, 0), (0, 2))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("w_x", "unknown field 'w'"),
        ("u_z", "unknown derivative 'u_z'"),
        ("u_", "unknown derivative 'u_'"),
        ("", "no derivative asked for"),
    ],
)
def test_unknown_names(names, message):
    with pytest.raises(ValueError, match=message):
        partials(Field(lambda p: p[0], ("t", "x")), jnp.zeros(2), names)


@pytest.mark.parametrize("names", [["u", "u_x"], ("u",), b"u", None])
def test_names_are_one_string(names):
    with pytest.raises(TypeError, match="names must be one string such as 'u u_t u_xx', got "):
        partials(Field(lambda p: p[0], ("t", "x")), jnp.zeros(2), names)


def test_wrong_points():
    field = Field(lambda p: p[0], ("t", "x"))
    with pytest.raises(TypeError, match="array of floats, got int32"):
        partials(field, jnp.zeros(2, jnp.int32), "u")
    with pytest.raises(TypeError, match="array of floats, got tuple"):
        partials(field, (0.0, 1.0), "u")
    with pytest.raises(ValueError, match="batch with jax.vmap"):
        partials(field, jnp.zeros((4, 2)), "u")
    with pytest.raises(ValueError, match="unknown method"):
        partials(field, jnp.zeros(2), "u", method="finite differences")


def test_unknown_primitive_is_named():
    with pytest.raises(NotImplementedError, match="'sort'.*nested"):
        taylor_coefficients(jnp.sort, jnp.zeros(2), [(1, 0)])


def test_field_names_are_checked():
    with pytest.raises(ValueError, match="single letters"):
        Field(lambda p: p[0], ("time", "x"))
    with pytest.raises(ValueError, match="distinct"):
        Field(lambda p: p[0], ("t", "x"), ("x",))
    with pytest.raises(ValueError, match=r"no underscore, got \('u_1',\)"):
        Field(lambda p: p[0], ("t", "x"), ("u_1",))
    for coordinates in ("tx", ["t", "x"], ()):
        with pytest.raises(TypeError, match="coordinates must be a tuple of names such as"):
            Field(lambda p: p[0], coordinates)
    with pytest.raises(TypeError, match="fields must be .*, got 'u': a tuple of one name ends in"):
        Field(lambda p: p[0], ("t", "x"), ("u"))
    with pytest.raises(ValueError, match="one field"):
        along(Field(lambda p: p, ("t", "x"), ("u", "v")), jnp.zeros(2), "x", 1)
