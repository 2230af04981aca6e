"""Sine and cosine in double precision, against NumPy's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnkit.precision import precision
from pinnkit.trigonometry import sine_and_cosine

EPS = np.finfo(np.float64).eps


@pytest.mark.parametrize("largest", [1.0, 100.0, 1e6, 1e12])
def test_both_are_right_to_the_rounding_of_the_argument(largest):
    x = np.concatenate([np.linspace(-largest, largest, 20_001), np.pi / 4 * np.arange(-9, 10)])
    with precision("float64"):
        sine, cosine = map(np.asarray, jax.jit(sine_and_cosine)(x))
    allowed = EPS * (1 + np.abs(x))
    assert np.all(np.abs(sine - np.sin(x)) <= allowed)
    assert np.all(np.abs(cosine - np.cos(x)) <= allowed)


def test_derivatives_of_every_order():
    with precision("float64"):
        x = jnp.float64(0.7)
        fourth = jax.grad(jax.grad(jax.grad(jax.grad(lambda x: sine_and_cosine(x)[0]))))(x)
        assert np.isclose(fourth, np.sin(0.7), rtol=1e-14)


def test_not_a_number_and_infinity_give_no_number():
    with precision("float64"):
        assert np.isnan(sine_and_cosine(jnp.array([np.nan, np.inf, -np.inf]))).all()


def test_single_precision_stays():
    sine, cosine = sine_and_cosine(jnp.float32(0.5))
    assert sine.dtype == cosine.dtype == jnp.float32 and np.isclose(sine, np.sin(0.5))
