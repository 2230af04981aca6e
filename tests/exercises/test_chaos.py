"""Stubs fail, solutions pass, and plausible mistakes are told apart."""

import re

import numpy as np
import pytest

from pinnkit import exercises


def before(losses):
    return np.cumsum(losses) - losses


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (lambda L, e: np.exp(-e * before(L)), ""),
        (lambda L, e: np.exp(-e * np.array([sum(L[:i]) for i in range(len(L))])), ""),
        (lambda L, e: np.exp(-e * np.cumsum(L)), "own loss must not count"),
        (lambda L, e: np.exp(-before(L)), "tolerance is missing"),
        (lambda L, e: np.exp(-e * np.append(0, L[:-1])), "one chunk only"),
        (lambda L, e: np.exp(e * before(L)), "sign"),
        (lambda L, e: -e * before(L), "take the exponential"),
        (lambda L, e: np.exp(-e * (L.sum() - np.cumsum(L))), "later chunks"),
        (lambda L, e: np.exp(-e * before(L))[1:], "Expected the shape"),
        (lambda L, e: np.ones(4), "but yours is"),
        (lambda L, e: None, "returns nothing"),
    ],
)
def test_causal_weights(weights, message):
    said = exercises.causal_weights.problem_with(weights)
    assert bool(said) == bool(message) and re.search(message, said)


def fastest(b, c):
    k = np.arange(1, int(np.sqrt(b / c)) + 2)
    rates = b * k**2 - c * k**4
    return k[rates.argmax()], rates.max()


def rounded(b, c):
    k = round(np.sqrt(b / 2 / c))
    return k, b * k**2 - c * k**4


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        (fastest, ""),
        (lambda b, c: (np.sqrt(b / 2 / c), b**2 / 4 / c), "has a whole k"),
        (lambda b, c: (np.sqrt(b / c), 0), "neither grows nor decays"),
        (lambda b, c: (fastest(b, c)[0], -fastest(b, c)[1]), "Sign"),
        (lambda b, c: fastest(b, c)[::-1], "first the wave number"),
        (rounded, "Compare the rates themselves"),
        (lambda b, c: (11, 100 / 16**2 * 11**2 - 100 / 16**4 * 11**4), "k = 1 is the fastest"),
        (lambda b, c: fastest(b, c)[0], "Expected the shape"),
        (lambda b, c: (12, 1.0), "it is k = 11"),
        (lambda b, c: None, "returns nothing"),
    ],
)
def test_fastest_wave(wave, message):
    said = exercises.fastest_wave.problem_with(wave)
    assert bool(said) == bool(message) and re.search(message, said)


def edges(t, amplification, n):
    log = np.log(amplification)
    return np.interp(-np.linspace(log[0], log[-1], n + 1), -log, t)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (edges, ""),
        (
            lambda t, a, n: np.interp(
                np.linspace(np.log10(a[0]), np.log10(a[-1]), n + 1), np.log10(a)[::-1], t[::-1]
            ),
            "",
        ),
        (lambda t, a, n: np.linspace(t[0], t[-1], n + 1), "Equal lengths"),
        (
            lambda t, a, n: np.interp(np.linspace(np.log(a[0]), 0, n + 1), np.log(a), t),
            "abscissas rising",
        ),
        (
            lambda t, a, n: np.interp(np.linspace(a[0], a[-1], n + 1), a[::-1], t[::-1]),
            "logarithm that has to be divided",
        ),
        (lambda t, a, n: edges(t, a, n)[::-1], "edges fall"),
        (lambda t, a, n: edges(t, a, n)[1:-1], "three windows have four"),
        (lambda t, a, n: edges(t, a, n + 1), "Expected the shape"),
        (lambda t, a, n: t[:4], "square roots of 0, 1/3, 2/3, 1"),
        (lambda t, a, n: None, "returns nothing"),
    ],
)
def test_equal_growth_edges(answer, message):
    said = exercises.equal_growth_edges.problem_with(answer)
    assert bool(said) == bool(message) and re.search(message, said)


def slope(t, values):
    return np.polyfit(t, values, 1)[0]


def parts(t, u, v, start, end):
    inside = (t >= start) & (t <= end)
    return t[inside], np.linalg.norm(u - v, axis=1)[inside]


def by_ends(*given):
    t, norms = parts(*given)
    return np.log(norms[-1] / norms[0]) / (t[-1] - t[0])


def by_normal_equations(*given):
    t, norms = parts(*given)
    t = t - t.mean()
    return t @ np.log(norms) / (t @ t)


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (by_normal_equations, ""),
        (lambda t, u, v, a, b: slope(t, np.log(np.linalg.norm(u - v, axis=1))), "all times"),
        (lambda *g: slope(parts(*g)[0], np.log10(parts(*g)[1])), "powers of ten"),
        (lambda *g: slope(parts(*g)[0], 2 * np.log(parts(*g)[1])), "squared norm"),
        (by_ends, "first and the last time only"),
        (lambda *g: -by_normal_equations(*g), "sign"),
        (lambda *g: slope(*parts(*g)), "fit its logarithm"),
        (lambda *g: 8.0, "but yours is 8.0"),
        (lambda *g: [8.0], "Expected the shape"),
        (lambda *g: None, "returns nothing"),
    ],
)
def test_growth_of_difference(rate, message):
    said = exercises.growth_of_difference.problem_with(rate)
    assert bool(said) == bool(message) and re.search(message, said)
