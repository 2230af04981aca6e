"""Precision is a scope: of numbers, and of products of matrices."""

import jax
import jax.numpy as jnp
import pytest

from pinnkit.precision import dtype_of, precision, rounded_products


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_and_products_are_as_precise_as_asked_for(dtype):
    def product():
        return jax.make_jaxpr(jnp.dot)(jnp.ones((2, 2)), jnp.ones((2, 2)))

    with precision(dtype):
        assert jnp.ones(1).dtype == dtype
        assert "HIGHEST" in str(product())
    assert "HIGHEST" not in str(product())


def test_who_wants_fast_products_gets_them():
    with jax.default_matmul_precision("tensorfloat32"), precision("float32"):
        assert jax.config.jax_default_matmul_precision == "tensorfloat32"


def test_the_widest_dtype_counts():
    assert dtype_of({"a": jnp.ones(1, jnp.float32), "n": jnp.ones(1, jnp.int32)}) == jnp.float32
    with pytest.raises(ValueError, match="no floating-point parameters"):
        dtype_of({"n": jnp.ones(1, jnp.int32)})


@pytest.mark.parametrize("bits", [7, 10])
def test_factors_of_products_are_rounded_and_nothing_else(bits):
    step = 2.0**-bits
    a, b = jnp.array([[1 + 0.4 * step, 3.0]]), jnp.array([[1 + 0.6 * step], [0.0]])

    def function(a, b):
        return jnp.tanh(jax.jit(jnp.matmul)(a, b)) * (1 + 0.4 * step)

    expected = jnp.tanh(jnp.float32(1 + step)) * jnp.float32(1 + 0.4 * step)
    for run in (rounded_products(function, bits), jax.jit(rounded_products(function, bits))):
        assert jnp.allclose(run(a, b), expected, rtol=1e-7)


def test_products_of_a_gradient_are_rounded_too():
    w, x = jnp.linspace(-1, 1, 12).reshape(3, 4), jnp.linspace(0, 1, 15).reshape(5, 3)

    def gradient(tree):
        return jax.grad(lambda w: jnp.mean(jax.nn.relu(x @ w) ** 2))(tree["w"])

    exact = gradient({"w": w})
    close, coarse = (rounded_products(gradient, n)({"w": w}) for n in (23, 4))
    assert jnp.array_equal(close, exact)
    assert 1e-3 < jnp.abs(coarse - exact).max() / jnp.abs(exact).max() < 2.0**-3
