"""Exercises of notebook 16: ratios of paired runs, a rank correlation, how sure it is."""

from __future__ import annotations

import numpy as np
from scipy import stats

from pinnkit.exercises._exercise import Exercise, compare

ADAM = {0: 3.0e-2, 1: 8.0e-3, 2: 2.0e-2}
SOAP = {2: 1.0e-2, 0: 2.0e-3, 1: 4.0e-3}
SCORE = np.array([0.9, 0.1, 0.5, 0.7, 0.3, 0.6, -0.2])
ERROR = np.array([1e-4, 3e-2, 5e-4, 2e-4, 6e-3, 9e-3, 1e0])
RHO, RUNS = -0.6, 40


def _check_ratio(ratio) -> str:
    ratios = np.array([ADAM[s] / SOAP[s] for s in ADAM])
    right = np.median(ratios)
    a, b = list(ADAM.values()), list(SOAP.values())
    return compare(
        ratio(ADAM, SOAP),
        right,
        {
            "The dictionaries are in different order: pair the runs by their seed.": np.median(
                np.divide(a, b)
            ),
            "This is the ratio of the medians: it compares runs with different seeds.": np.median(a)
            / np.median(b),
            "This is the mean of the ratios, which one lucky run can pull up: take the median.": (
                np.mean(ratios)
            ),
            "Upside down: how many times larger is the first error?": np.median(1 / ratios),
        },
        f"For the test's errors the ratios are 15, 2 and 2 and their median is {right:g}",
    )


def _check_rank(correlation) -> str:
    right = stats.spearmanr(SCORE, ERROR).statistic
    fault = compare(
        correlation(SCORE, ERROR),
        right,
        {
            "This is the correlation of the numbers themselves: replace each by its rank first.": (
                np.corrcoef(SCORE, ERROR)[0, 1]
            ),
            "You took logarithms instead of ranks.": np.corrcoef(SCORE, np.log(ERROR))[0, 1],
            "np.argsort gives the order, not the ranks: apply it twice.": np.corrcoef(
                np.argsort(SCORE), np.argsort(ERROR)
            )[0, 1],
            "The sign: a high score goes with a small error here.": -right,
            "This is Kendall's tau.": stats.kendalltau(SCORE, ERROR).statistic,
        },
        f"For the test's seven runs it is {right:.4f}",
    )
    if fault:
        return fault
    return compare(
        correlation(SCORE, ERROR**3),
        right,
        {},
        "Ranks do not change when all errors are cubed, yours does",
    )


def _limits(times=1.96, less=3) -> np.ndarray:
    return np.tanh(np.arctanh(RHO) + np.array([-times, times]) / np.sqrt(RUNS - less))


def _check_interval(interval) -> str:
    right = _limits()
    plain = 1.96 / np.sqrt(RUNS - 3)
    return compare(
        interval(RHO, RUNS),
        right,
        {
            "A correlation is not normally distributed near -1 or 1: go to arctanh first.": (
                RHO - plain,
                RHO + plain,
            ),
            "These are limits of arctanh(rho): go back by tanh.": tuple(np.arctanh(right)),
            "One standard deviation holds two thirds: 95 % need 1.96 of them.": tuple(
                _limits(times=1)
            ),
            "The standard deviation of arctanh(rho) is 1 / sqrt(n - 3), not 1 / sqrt(n).": tuple(
                _limits(less=0)
            ),
            "The order: the lower limit first.": tuple(right[::-1]),
        },
        f"For rho = {RHO} from {RUNS} runs it is {right[0]:.4f} to {right[1]:.4f}",
        rtol=1e-3,
    )


median_ratio = Exercise(
    "how many times better",
    (
        "A seed fixes the initial weights: runs with the same one belong together.",
        "Compute one ratio for each seed, then the median over the seeds.",
        "np.median([first[seed] / second[seed] for seed in first]).",
    ),
    _check_ratio,
    "The ratio of the means would be 3.6: say which one you report.",
)

rank_correlation = Exercise(
    "a correlation of ranks",
    (
        "Errors span many orders of magnitude; all that counts here is their order.",
        "The rank of each value is np.argsort(np.argsort(values)), if no two are equal.",
        "np.corrcoef(rank(scores), rank(errors))[0, 1].",
    ),
    _check_rank,
    "Spearman's rho. scipy.stats.spearmanr does the same and minds ties.",
)

correlation_interval = Exercise(
    "how sure a correlation is",
    (
        "Fisher: arctanh(rho) is nearly normal, with the standard deviation 1 / sqrt(n - 3).",
        "Take 1.96 standard deviations to both sides of arctanh(rho), and go back by np.tanh.",
        "np.tanh(np.arctanh(rho) + np.array([-1.96, 1.96]) / np.sqrt(n - 3)).",
    ),
    _check_interval,
    "For ranks this is an approximation, and it takes the runs for independent.",
)
