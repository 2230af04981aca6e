"""Stubs fail, solutions pass, and plausible mistakes are told apart."""

import re

import numpy as np
import pytest

from pinnkit import exercises


def mean(gradients, counts):
    return sum(n * g for n, g in zip(counts, gradients, strict=True)) / sum(counts)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (mean, ""),
        (lambda g, n: np.mean(g, axis=0), "mean over devices"),
        (lambda g, n: mean(g, n) * sum(n), "number of all points"),
        (lambda g, n: sum(a / k for a, k in zip(g, n, strict=True)), "multiply it"),
        (lambda g, n: np.ones(2), "it is"),
        (lambda g, n: None, "returns nothing"),
    ],
)
def test_mean_gradient(answer, message):
    said = exercises.mean_gradient.problem_with(answer)
    assert bool(said) == bool(message) and re.search(message, said)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda m, D, s, wait: 2 * (D - 1) * (wait + m / D / s), ""),
        (lambda m, D, s, wait: 2 * (D - 1) * m / D / s, "latency is missing"),
        (lambda m, D, s, wait: 2 * (D - 1) * (wait + m / s), "m / D bytes"),
        (lambda m, D, s, wait: (D - 1) * (wait + m / D / s), r"2 \(D - 1\) rounds"),
        (lambda m, D, s, wait: wait + 2 * (D - 1) * m / D / s, "not only the first"),
        (lambda m, D, s, wait: 1.0, "microseconds"),
    ],
)
def test_all_reduce_seconds(answer, message):
    said = exercises.all_reduce_seconds.problem_with(answer)
    assert bool(said) == bool(message) and re.search(message, said)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda d, c, D: (d + c) / (D * (d / D + c)), ""),
        (lambda d, c, D: (d + c) / (d / D + c), "divide it by the number"),
        (lambda d, c, D: d / (D * (d / D + c)), "both parts"),
        (lambda d, c, D: 1.0, "not divided"),
        (lambda d, c, D: (d / D + c) / (d + c), "other way round"),
        (lambda d, c, D: 7.0, "it is 0.56"),
    ],
)
def test_scaling_efficiency(answer, message):
    said = exercises.scaling_efficiency.problem_with(answer)
    assert bool(said) == bool(message) and re.search(message, said)
