"""Stubs fail, solutions pass, and plausible mistakes are told apart."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import dblquad, quad

from pinnkit import exercises
from pinnkit.problems import LidDrivenCavity

C = 1 / (1 - np.pi**2 / 4)


def corner(x, y, angle=None, b=1 - C, c=C, d=C * np.pi / 2):
    angle = np.arctan2(y, x) if angle is None else angle
    line, square = c * x + d * y, x**2 + y**2
    return b + d * angle + line * x / square, c * angle - line * y / square


def by_autodiff(x, y):
    def stream(p):
        return (1 - C) * p[1] + jnp.arctan2(p[1], p[0]) * (C * p[0] + C * jnp.pi / 2 * p[1])

    v, u = jax.grad(stream)(jnp.array([x, y]))
    return float(u), float(v)


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        (corner, ""),
        (by_autodiff, ""),
        (lambda x, y: (corner(x, y)[0], -corner(x, y)[1]), r"v = \+s_x"),
        (lambda x, y: corner(x, y)[::-1], "first u, then v"),
        (
            lambda x, y: (1 - C + C * np.pi / 2 * np.arctan2(y, x), C * np.arctan2(y, x)),
            "angle depends on x and y",
        ),
        (lambda x, y: corner(x, y, np.arctan2(x, y)), "angle is 0 on the lid"),
        (lambda x, y: (1, 0), "like the lid everywhere"),
        (lambda x, y: corner(x, y, b=1, c=0, d=-2 / np.pi), "slips along the wall"),
        (lambda x, y: (0.3, 0.3), "but yours is"),
        (lambda x, y: None, "returns nothing"),
    ],
)
def test_corner_flow(flow, message):
    said = exercises.corner_flow.problem_with(flow)
    assert bool(said) == bool(message) and re.search(message, said)


def test_the_corner_is_that_of_the_kit():
    with jax.enable_x64(True):
        u, v, _ = LidDrivenCavity().enrichment(jnp.array([2e-3, 1 - 5e-3]))
    assert (u, v) == pytest.approx(corner(2e-3, 5e-3), abs=1e-6)


def numerically(power, inner, outer):
    return quad(lambda r: np.pi / 2 * r ** (1 - 2 * power), inner, outer)[0]


def closed(power, inner, outer):
    if power == 1:
        return np.pi / 2 * np.log(outer / inner)
    return np.pi / 2 * (outer ** (2 - 2 * power) - inner ** (2 - 2 * power)) / (2 - 2 * power)


@pytest.mark.parametrize(
    ("integral", "message"),
    [
        (numerically, ""),
        (closed, ""),
        (lambda p, a, b: np.pi / 2 * quad(lambda r: r ** (-2 * p), a, b)[0], "factor r"),
        (lambda p, a, b: closed(p / 2, a, b), "it is the square"),
        (lambda p, a, b: 4 * closed(p, a, b), "quarter of a circle"),
        (lambda p, a, b: 2 / np.pi * closed(p, a, b), "angle is missing"),
        (lambda p, a, b: closed(p, b, a), "wrong way round"),
        (lambda p, a, b: closed(2, a, b), "is a logarithm"),
        (lambda p, a, b: 1.0, "but yours is"),
        (lambda p, a, b: None, "returns nothing"),
    ],
)
def test_square_near_corner(integral, message):
    said = exercises.square_near_corner.problem_with(integral)
    assert bool(said) == bool(message) and re.search(message, said)


def rungs(start, end, ratio, more=0, slack=1e-9, first=0, last=None):
    n = int(np.ceil(np.log(end / start) / np.log(ratio) - slack)) + more
    return (start * (end / start) ** (np.arange(n + 1) / n))[first:last]


@pytest.mark.parametrize(
    ("ladder", "message"),
    [
        (rungs, ""),
        (lambda a, b, r: list(rungs(a, b, r)), ""),
        (lambda a, b, r: np.append(a * r ** np.arange(4), b), "spread the way evenly"),
        (lambda a, b, r: np.linspace(a, b, 5), "equal differences"),
        (lambda a, b, r: rungs(a, b, r, more=-1), "one step more"),
        (lambda a, b, r: rungs(a, b, r, first=1), "Where does it begin"),
        (lambda a, b, r: rungs(a, b, r, last=-1), "Where does it end"),
        (lambda a, b, r: rungs(a, b, r, more=1), "Fewer steps"),
        (lambda a, b, r: rungs(a, b, r, slack=-1e-9), "subtract 1e-9"),
        (lambda a, b, r: rungs(a, b, r) + (b == 800), "not from 100 to 800"),
        (lambda a, b, r: [a, b], "Expected the shape"),
        (lambda a, b, r: None, "returns nothing"),
    ],
)
def test_reynolds_ladder(ladder, message):
    said = exercises.reynolds_ladder.problem_with(ladder)
    assert bool(said) == bool(message) and re.search(message, said)


def energy(s, weigh=lambda m, n: m**2 + n**2, factor=np.pi**2 / 8, shell=np.floor):
    m, n = np.indices(s.shape)
    k = shell(np.hypot(m, n)).astype(int)
    return np.bincount(k.ravel(), (factor * weigh(m, n) * s**2).ravel())[: len(s)]


@pytest.mark.parametrize(
    ("spectrum", "message"),
    [
        (energy, ""),
        (lambda s: energy(s, lambda m, n: 1, 1), "square of the stream function"),
        (lambda s: energy(s, factor=np.pi**2 / 2), "1/2 each"),
        (lambda s: energy(s, factor=np.pi**2 / 4), "One of the two means"),
        (lambda s: energy(s, factor=np.pi**2 / 16), "too much"),
        (lambda s: energy(s, factor=1 / 8), "where is pi"),
        (lambda s: energy(s, lambda m, n: n**2), "u alone"),
        (lambda s: energy(s, lambda m, n: m**2), "v alone"),
        (lambda s: energy(s, shell=np.rint), "round down"),
        (lambda s: energy(s)[:3], "Expected the shape"),
        (lambda s: np.ones(len(s)), "but yours is"),
        (lambda s: None, "returns nothing"),
    ],
)
def test_energy_of_waves(spectrum, message):
    said = exercises.energy_of_waves.problem_with(spectrum)
    assert bool(said) == bool(message) and re.search(message, said)


def test_the_energy_is_the_integral_of_half_the_squared_velocity():
    s, pi = np.zeros((4, 4)), np.pi
    s[1, 2], s[2, 1] = 0.7, -0.4

    def density(y, x):
        u = sum(s[m, n] * n * pi * np.sin(m * pi * x) * np.cos(n * pi * y)
                for m, n in ((1, 2), (2, 1)))  # fmt: skip
        v = sum(s[m, n] * m * pi * np.cos(m * pi * x) * np.sin(n * pi * y)
                for m, n in ((1, 2), (2, 1)))  # fmt: skip
        return (u**2 + v**2) / 2

    assert energy(s).sum() == pytest.approx(dblquad(density, 0, 1, 0, 1)[0])
