"""Precision is a scope: of numbers, and of products of matrices."""

import jax
import jax.numpy as jnp
import pytest

from pinnkit.precision import dtype_of, precision


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
