"""Stubs fail, solutions pass, and plausible mistakes are told apart."""

import re

import numpy as np
import pytest

from pinnkit import exercises

norm = np.linalg.norm


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (lambda p, e: norm((p - e)[:, 1:]) / norm(e[:, 1:]), ""),
        (lambda p, e: norm((p - e)[:, :-1]) / norm(e[:, :-1]), ""),
        (lambda p, e: norm(p - e) / norm(e), "counts the seam twice"),
        (lambda p, e: norm((p - e)[:, 1:-1]) / norm(e[:, 1:-1]), "not both"),
        (lambda p, e: norm((p - e)[:-1]) / norm(e[:-1]), "dropped the last time"),
        (
            lambda p, e: np.mean(norm((p - e)[:, :-1], axis=1) / norm(e[:, :-1], axis=1)),
            "mean of the errors at each time",
        ),
        (
            lambda p, e: norm((p - e)[:, :-1], axis=1) / norm(e[:, :-1], axis=1),
            "are the errors at each time",
        ),
        (lambda p, e: (norm((p - e)[:, :-1]) / norm(e[:, :-1])) ** 2, "square of the error"),
        (lambda p, e: norm((p - e)[:, :-1]), "relative error is asked for"),
        (lambda p, e: norm((p - e)[:, :-1]) / norm(p[:, :-1]), "relative to the prediction"),
        (lambda p, e: abs(p - e).max() / abs(e).max(), "largest value"),
        (lambda p, e: 2.0, "but yours is 2.0"),
        (lambda p, e: None, "returns nothing"),
    ],
)
def test_error_without_seam(error, message):
    said = exercises.error_without_seam.problem_with(error)
    assert bool(said) == bool(message) and re.search(message, said)


def momentum(x, u):
    return np.trapezoid(u**2, x, axis=1)


def change(x, u):
    return momentum(x, u) - momentum(x, u)[0]


@pytest.mark.parametrize(
    ("drift", "message"),
    [
        (lambda x, u: abs(change(x, u)).max(), ""),
        (
            lambda x, u: abs(np.sum(u[:, 1:] ** 2 - u[0, 1:] ** 2, axis=1)).max() * (x[1] - x[0]),
            "",
        ),
        (lambda x, u: change(x, u).max(), "downwards"),
        (lambda x, u: change(x, u).min(), "has a sign"),
        (lambda x, u: abs(change(x, u)), "return the largest"),
        (lambda x, u: abs(change(x, u)[-1]), "last time with the first"),
        (lambda x, u: np.ptp(momentum(x, u)), "range"),
        (
            lambda x, u: abs(np.sum(u**2 - u[0] ** 2, axis=1)).max() * (x[1] - x[0]),
            "seam twice",
        ),
        (lambda x, u: abs(change(x, u)).max() / 2, "mean over x"),
        (lambda x, u: abs(np.trapezoid(u - u[0], x, axis=1)).max(), "square u first"),
        (lambda x, u: abs(change(x, u)).max() / momentum(x, u)[0], "relative to the first"),
        (lambda x, u: abs(change(np.linspace(-1, 1, len(x)), u)).max(), "longer interval"),
        (lambda x, u: 9.0, "but yours is 9.0"),
        (lambda x, u: None, "returns nothing"),
    ],
)
def test_momentum_drift(drift, message):
    said = exercises.momentum_drift.problem_with(drift)
    assert bool(said) == bool(message) and re.search(message, said)


def at(run, time):
    return run[1][run[0] <= time][-1]


def ratios(adam, soap, error):
    return [error(a) / error(s) for a, s in zip(adam, soap, strict=True)]


@pytest.mark.parametrize(
    ("ratio", "message"),
    [
        (lambda a, s, t: np.median(ratios(a, s, lambda run: at(run, t))), ""),
        (
            lambda a, s, t: np.median(
                ratios(a, s, lambda run: run[1][np.searchsorted(run[0], t, "right") - 1])
            ),
            "",
        ),
        (lambda a, s, t: np.median(ratios(s, a, lambda run: at(run, t))), "upside down"),
        (
            lambda a, s, t: np.median([at(r, t) for r in a]) / np.median([at(r, t) for r in s]),
            "divide first",
        ),
        (lambda a, s, t: np.mean(ratios(a, s, lambda run: at(run, t))), "mean of the ratios"),
        (lambda a, s, t: ratios(a, s, lambda run: at(run, t)), "return their median"),
        (lambda a, s, t: np.median(ratios(a, s, lambda run: run[1][-1])), "errors at the end"),
        (lambda a, s, t: np.median(ratios(a, s, lambda run: run[1][2])), "same row"),
        (
            lambda a, s, t: np.median(ratios(a, s, lambda run: run[1][run[0] >= t][0])),
            "not known yet",
        ),
        (
            lambda a, s, t: np.median(ratios(a, s, lambda run: run[1][run[0] < t][-1])),
            "exactly at `time`",
        ),
        (lambda a, s, t: 1.0, "but yours is 1.0"),
        (lambda a, s, t: None, "returns nothing"),
    ],
)
def test_ratio_at_equal_time(ratio, message):
    said = exercises.ratio_at_equal_time.problem_with(ratio)
    assert bool(said) == bool(message) and re.search(message, said)


def crossings(solution, error):
    found = np.flatnonzero(error >= solution)
    return found[found >= 1]


@pytest.mark.parametrize(
    ("resolved", "message"),
    [
        (lambda s, e: min(crossings(s, e), default=len(s)), ""),
        (lambda s, e: next((k for k in range(1, len(s)) if e[k] >= s[k]), len(s)), ""),
        (lambda s, e: int(np.argmax(e >= s)), "start at k = 1"),
        (lambda s, e: min(crossings(s, e), default=len(s)) - 1, "last one that is resolved"),
        (lambda s, e: np.flatnonzero(np.diff(e >= s))[-1] + 1, "first crossing"),
        (lambda s, e: max(crossings(s, e), default=len(s)), "last wave number of all"),
        (lambda s, e: 1, "still smaller"),
        (lambda s, e: min(crossings(s, e), default=len(s) - 1), "return the number"),
        (
            lambda s, e: next((k for k in range(1, len(s)) if e[k] > s[k]), len(s)),
            ">=, not >",
        ),
        (lambda s, e: 2.5, "but yours is 2.5"),
        (lambda s, e: next(k for k in range(1, len(s)) if e[k] >= s[k]), "StopIteration"),
        (lambda s, e: None, "returns nothing"),
    ],
)
def test_resolved_up_to(resolved, message):
    said = exercises.resolved_up_to.problem_with(resolved)
    assert bool(said) == bool(message) and re.search(message, said)
