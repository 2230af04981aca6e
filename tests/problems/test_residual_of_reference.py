"""Equation and reference belong together: each residual vanishes on its own reference.

Derivatives of the reference are taken by Fourier modes along periodic coordinates and by central
differences of eighth order along the others, on the grid of the reference and on every second
point of it: what is left must shrink as these derivatives' errors do, and a sign or a factor
changed in the equation must not go unnoticed.
"""

import dataclasses
import inspect
import math
import sys
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnkit import problems

HIGHEST = {"t": 2, "x": 4, "y": 2}
REACH = 4
WEIGHTS = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0, 4 / 5, -1 / 5, 4 / 105, -1 / 280])

CASES = {
    "Wave": (problems.Wave(), "- self.speed**2", "- self.speed"),
    "Burgers": (problems.Burgers(viscosity=0.02), "+ u * u_x", "- u * u_x"),
    "AllenCahn": (problems.AllenCahn(), "(u - u**3)", "(u - u**2)"),
    "KortewegDeVries": (
        problems.KortewegDeVries(),
        "+ self.dispersion**2",
        "- self.dispersion**2",
    ),
    "KuramotoSivashinsky": (problems.KuramotoSivashinsky(), "+ self.growth", "- self.growth"),
    "GrayScott": (problems.GrayScott(), "self.kill * v", "self.feed * v"),
    "GinzburgLandau": (problems.GinzburgLandau(), "- c * v", "+ c * v"),
}
"""A problem, and what a mutation of its residual replaces by what."""

LARGEST = {"GrayScott": 2e-2}  # whose fronts span few points of its grid
"""Residual relative to the time derivative, root mean squares; else 1e-3."""


def central_difference(values, axis, step):
    """First derivative where the stencil fits; elsewhere nan."""
    n = values.shape[axis]
    middle = np.arange(REACH, n - REACH)
    window = [np.take(values, middle + k, axis=axis) for k in range(-REACH, REACH + 1)]
    inside = np.full_like(values, np.nan)
    np.moveaxis(inside, axis, 0)[middle] = np.moveaxis(
        np.tensordot(WEIGHTS, window, 1) / step, axis, 0
    )
    return inside


def fourier_derivative(values, axis, length, order):
    """Derivative along a period whose two ends are both there."""
    n = values.shape[axis] - 1
    k = 2 * np.pi / length * np.arange(n // 2 + 1)
    symbol = (1j * k) ** order * (np.arange(n // 2 + 1) < n / 2)
    shape = [1] * values.ndim
    shape[axis] = -1
    coefficients = np.fft.rfft(np.delete(values, n, axis), axis=axis) * symbol.reshape(shape)
    period = np.fft.irfft(coefficients, n, axis=axis)
    return np.concatenate([period, np.take(period, [0], axis)], axis)


def derivatives(problem, axes, values):
    """Unmixed derivatives by multi-index: arrays of shape (n_t, n_x, ..., fields)."""
    table = {(0,) * len(axes): values}
    for i, (name, axis) in enumerate(axes.items()):
        derivative = values
        for order in range(1, HIGHEST[name] + 1):
            if name in problem.periodic:
                derivative = fourier_derivative(values, i, axis[-1] - axis[0], order)
            elif order <= 2:
                derivative = central_difference(derivative, i, axis[1] - axis[0])
            else:
                break
            table[tuple(order * (j == i) for j in range(len(axes)))] = derivative
    return table


def residual_size(problem, stride=1, skipped=1 / 8, at_most=20_000):
    """Root mean square of the residual relative to the time derivative, on every stride-th point.

    Steep starts, which the differences in time do not resolve, are skipped.
    """
    reference = problem.reference()
    thin = (slice(None, None, stride),) * len(reference.axes)
    axes = {name: axis[::stride] for name, axis in reference.axes.items()}
    values = np.stack([reference.values[name][thin] for name in problem.fields], axis=-1)
    table = derivatives(problem, axes, values)
    grid = np.stack(np.meshgrid(*axes.values(), indexing="ij"), axis=-1)
    known = np.all([np.isfinite(a).all(axis=-1) for a in table.values()], axis=0)
    known[: int(skipped * len(known))] = False
    chosen = np.flatnonzero(known)[:: max(1, known.sum() // at_most)]
    points = grid.reshape(-1, len(axes))[chosen]
    table = {a: v.reshape(known.size, -1)[chosen] for a, v in table.items()}

    def at_a_point(point, taylor):
        def polynomial(p):
            return sum(
                c * math.prod((p[i] - point[i]) ** n / math.factorial(n) for i, n in enumerate(a))
                for a, c in taylor.items()
            )

        return problem.residual(problem.field(polynomial), point)

    with jax.enable_x64(True):
        rows = jax.jit(jax.vmap(at_a_point))(jnp.asarray(points), jax.tree.map(jnp.asarray, table))
        size = max(np.sqrt(np.mean(np.asarray(r) ** 2)) for r in rows.values())
    rate = table[(1,) + (0,) * (len(axes) - 1)]
    return size / np.sqrt(np.mean(rate**2))


def mutant(problem, old, new):
    """The same problem with a residual whose source is changed."""
    kind = type(problem)
    source = textwrap.dedent(inspect.getsource(kind.residual))
    assert old in source
    namespace = dict(vars(sys.modules[kind.__module__]))
    exec(source.replace(old, new), namespace)
    changed = type(f"Mutant{kind.__name__}", (kind,), {"residual": namespace["residual"]})
    return changed(**{f.name: getattr(problem, f.name) for f in dataclasses.fields(problem)})


@pytest.mark.parametrize("name", CASES)
def test_the_residual_vanishes_on_the_reference(name):
    problem, old, new = CASES[name]
    size = residual_size(problem)
    assert size < LARGEST.get(name, 1e-3)
    assert size < max(residual_size(problem, stride=2) / 16, 1e-6)
    assert residual_size(mutant(problem, old, new)) > 30 * size


def test_every_benchmark_has_such_a_test():
    elsewhere = {"LidDrivenCavity", "KolmogorovFlow", "RayleighTaylor"}
    assert set(CASES) | elsewhere == set(problems.BENCHMARKS)
