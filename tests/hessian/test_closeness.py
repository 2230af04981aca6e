"""Preconditioners for which the measure has a closed form, its invariances, and bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnkit.hessian import Spectrum, closeness, spectrum

from .matrices import RNG, as_map, example, orthogonal, symmetric

KEY = jax.random.key(0)
EIGENVALUES = np.geomspace(1e-3, 1e3, 30)


def exact(matrix, dtype="float64"):
    """The spectrum of a symmetric matrix by dense algebra."""
    values, vectors = np.linalg.eigh(matrix)
    bounds = np.full(len(values), 1e-16 * np.max(np.abs(values)))
    return Spectrum(*(jnp.asarray(x, dtype) for x in (values, bounds, vectors.T)))


def participation(mu):
    return np.sum(mu) ** 2 / (len(mu) * np.sum(mu**2))


@pytest.mark.parametrize("rank", [7, 30])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-9)])
def test_the_damped_inverse_is_perfect_for_the_damped_curvature(dtype, tolerance, rank):
    damped = symmetric(EIGENVALUES) + 0.5 * np.eye(30)
    inverse = as_map(np.linalg.inv(damped))
    found = closeness(exact(damped, dtype), inverse, example(30, dtype), rank=rank)
    assert {x.dtype.name for x in found} == {dtype}
    np.testing.assert_allclose(found, 1, rtol=tolerance * 10)


@pytest.mark.parametrize("rank", [1, 7])
def test_the_identity_gives_the_participation_ratio_of_the_eigenvalues(rank):
    found = closeness(exact(symmetric(EIGENVALUES)), lambda v: v, example(30), rank=rank)
    top = EIGENVALUES[-rank:]
    np.testing.assert_allclose(found.efficiency, participation(top), rtol=1e-8)
    np.testing.assert_allclose(found.condition, top[-1] / top[0], rtol=1e-8)


def test_the_efficiency_is_the_share_of_newtons_decrease():
    """By its definition, averaged over gradients of covariance C; P is a random matrix."""
    curvature, p = symmetric(EIGENVALUES), symmetric(RNG.uniform(0.1, 2, size=30))
    found = closeness(exact(curvature), as_map(p), example(30), rank=30)
    gradients = np.linalg.cholesky(curvature) @ RNG.normal(size=(30, 200_000))
    step = p @ gradients
    slope = np.mean(np.sum(gradients * step, axis=0))
    bend = np.mean(np.sum(step * (curvature @ step), axis=0))
    newton = np.mean(np.sum(gradients * np.linalg.solve(curvature, gradients), axis=0)) / 2
    np.testing.assert_allclose(found.efficiency, slope**2 / (2 * bend) / newton, rtol=0.02)


def test_the_scale_of_the_preconditioner_does_not_matter_but_its_sign_does():
    spectrum = exact(symmetric(EIGENVALUES))
    p = symmetric(RNG.uniform(0.1, 2, size=30))
    one = closeness(spectrum, as_map(p), example(30), rank=9)
    assert 0 < one.efficiency < 0.9 and one.condition > 1.1
    np.testing.assert_allclose(closeness(spectrum, as_map(1e5 * p), example(30), rank=9), one)
    assert closeness(spectrum, as_map(-p), example(30), rank=9).efficiency == 0


def test_it_transforms_with_the_parameters():
    """w -> S w takes C to S^-T C S^-1 and P to S P S^T: neither number changes."""
    curvature, p = symmetric(EIGENVALUES), symmetric(RNG.uniform(0.1, 2, size=30))
    s = orthogonal(30) * RNG.uniform(0.5, 2, size=30)
    inverse = np.linalg.inv(s)
    before = closeness(exact(curvature), as_map(p), example(30), rank=30)
    moved = exact(inverse.T @ curvature @ inverse)
    after = closeness(moved, as_map(s @ p @ s.T), example(30), rank=30)
    np.testing.assert_allclose(after, before, rtol=1e-6)


def test_a_sweep_over_powers_finds_the_inverse_root():
    """C = diag(c) and P = C^-1/2: M = C^(p - 1/2), perfect at p = 1/2."""
    powers = jnp.asarray([0.0, 0.25, 0.5, 1.0])
    root = as_map(np.diag(EIGENVALUES**-0.5))
    found = closeness(exact(np.diag(EIGENVALUES)), root, example(30), rank=30, power=powers)
    expected = [participation(EIGENVALUES ** (p - 0.5)) for p in (0.0, 0.25, 0.5, 1.0)]
    np.testing.assert_allclose(found.efficiency, expected, rtol=1e-7)
    np.testing.assert_allclose(found.condition, [1e3, 1e1**0.5 * 10, 1, 1e3], rtol=1e-6)
    single = closeness(exact(np.diag(EIGENVALUES)), root, example(30), rank=30)
    np.testing.assert_allclose(single.efficiency, found.efficiency[-1])


def test_an_indefinite_singular_hessian_counts_by_absolute_value():
    values = np.concatenate([np.zeros(20), [-8.0, -2.0, 1.0, 4.0]])
    q = orthogonal(24)
    hessian = exact((q * values) @ q.T)
    absolute = (q[:, 20:] / np.abs(values[20:])) @ q[:, 20:].T
    np.testing.assert_allclose(closeness(hessian, as_map(absolute), example(24), rank=4), 1)
    newton = (q[:, 20:] / values[20:]) @ q[:, 20:].T  # runs up the two negative directions
    np.testing.assert_allclose(
        closeness(hessian, as_map(newton), example(24), rank=4).efficiency, 0, atol=1e-20
    )
    with pytest.raises(ValueError, match="choose rank <= 4, or take a spectrum of more steps"):
        closeness(hessian, as_map(absolute), example(24), rank=5)


def test_lanczos_finds_the_directions_that_matter():
    """12 of 30 steps, on a curvature whose few large eigenvalues stand apart."""
    values = np.concatenate([np.geomspace(1e-6, 1e-3, 25), [1.0, 3.0, 10.0, 40.0, 90.0]])
    matrix, p = symmetric(values), as_map(symmetric(RNG.uniform(0.1, 2, size=30)))
    few = spectrum(as_map(matrix), example(30), steps=12, key=KEY)
    np.testing.assert_allclose(
        closeness(few, p, example(30), rank=5),
        closeness(exact(matrix), p, example(30), rank=5),
        rtol=1e-6,
    )
    with pytest.raises(ValueError, match="choose rank <= "):
        closeness(few, p, example(30), rank=12)


def test_under_jit():
    p = as_map(symmetric(RNG.uniform(0.1, 2, size=30)))
    matrix = symmetric(EIGENVALUES)
    compare = jax.jit(lambda s: closeness(s, p, example(30), rank=5))
    np.testing.assert_allclose(
        compare(exact(matrix)), closeness(exact(matrix), p, example(30), rank=5), rtol=1e-10
    )


@pytest.mark.parametrize("rank", [0, 31, 2.0, True])
def test_bad_rank(rank):
    with pytest.raises(ValueError, match="rank must be an integer from 1 to 30"):
        closeness(exact(np.diag(EIGENVALUES)), lambda v: v, example(30), rank=rank)


def test_bad_spectrum():
    other = Spectrum(jnp.ones(2), jnp.zeros(2), jnp.eye(2, 8))
    with pytest.raises(ValueError, match="belongs to 8 parameters, the example has 30"):
        closeness(other, lambda v: v, example(30), rank=1)
