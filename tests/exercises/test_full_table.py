"""Stubs fail, solutions pass, and plausible mistakes are told apart."""

import re

import numpy as np
import pytest
from scipy import stats

from pinnkit import exercises


def values(errors):
    return np.array(list(errors.values()))


@pytest.mark.parametrize(
    ("ratio", "message"),
    [
        (lambda a, b: np.median([a[s] / b[s] for s in a]), ""),
        (lambda a, b: np.median(values(a) / values(b)), "pair the runs by their seed"),
        (lambda a, b: np.median(values(a)) / np.median(values(b)), "ratio of the medians"),
        (lambda a, b: np.mean([a[s] / b[s] for s in a]), "mean of the ratios"),
        (lambda a, b: np.median([b[s] / a[s] for s in a]), "Upside down"),
        (lambda a, b: 1.0, "15, 2 and 2"),
        (lambda a, b: None, "returns nothing"),
    ],
)
def test_median_ratio(ratio, message):
    said = exercises.median_ratio.problem_with(ratio)
    assert bool(said) == bool(message) and re.search(message, said)


def rank(v):
    return np.argsort(np.argsort(v))


def pearson(a, b):
    return np.corrcoef(a, b)[0, 1]


@pytest.mark.parametrize(
    ("correlation", "message"),
    [
        (lambda a, b: stats.spearmanr(a, b).statistic, ""),
        (lambda a, b: pearson(rank(a), rank(b)), ""),
        (pearson, "the numbers themselves"),
        (lambda a, b: pearson(a, np.log(b)), "logarithms instead of ranks"),
        (lambda a, b: pearson(np.argsort(a), np.argsort(b)), "apply it twice"),
        (lambda a, b: -pearson(rank(a), rank(b)), "sign"),
        (lambda a, b: stats.kendalltau(a, b).statistic, "Kendall"),
        (lambda a, b: 0.0, "seven runs"),
        (lambda a, b: None, "returns nothing"),
    ],
)
def test_rank_correlation(correlation, message):
    said = exercises.rank_correlation.problem_with(correlation)
    assert bool(said) == bool(message) and re.search(message, said)


def limits(rho, n, times=1.96, less=3):
    return np.tanh(np.arctanh(rho) + np.array([-times, times]) / np.sqrt(n - less))


@pytest.mark.parametrize(
    ("interval", "message"),
    [
        (limits, ""),
        (lambda r, n: (r - 1.96 / np.sqrt(n - 3), r + 1.96 / np.sqrt(n - 3)), "arctanh first"),
        (lambda r, n: np.arctanh(limits(r, n)), "go back by tanh"),
        (lambda r, n: limits(r, n, times=1), "1.96 of them"),
        (lambda r, n: limits(r, n, less=0), r"1 / sqrt\(n - 3\)"),
        (lambda r, n: limits(r, n)[::-1], "lower limit first"),
        (lambda r, n: (-1, 1), "rho = -0.6"),
        (lambda r, n: None, "returns nothing"),
    ],
)
def test_correlation_interval(interval, message):
    said = exercises.correlation_interval.problem_with(interval)
    assert bool(said) == bool(message) and re.search(message, said)
