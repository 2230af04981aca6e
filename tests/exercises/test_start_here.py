"""Stubs fail, solutions pass, and plausible mistakes are told apart."""

import re

import numpy as np
import pytest

from pinnkit import exercises

norm = np.linalg.norm


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (lambda u, e: norm(u - e) / norm(e), ""),
        (lambda u, e: np.sqrt(np.mean((u - e) ** 2) / np.mean(e**2)), ""),
        (lambda u, e: norm(u - e), "absolute error"),
        (lambda u, e: norm(u - e) / norm(u), "yardstick"),
        (lambda u, e: np.sum((u - e) ** 2) / np.sum(e**2), "take the root"),
        (lambda u, e: abs(u - e).mean() / abs(e).mean(), "mean absolute"),
        (lambda u, e: abs(u - e).max() / abs(e).max(), "maximum norm"),
        (lambda u, e: np.sqrt(np.mean((u - e) ** 2)), "root mean square"),
        (lambda u, e: norm(u - e) / norm(e) * u.size / 4, "other shapes"),
        (lambda u, e: 7.0, "but yours is 7.0"),
        (lambda u, e: None, "returns nothing"),
    ],
)
def test_relative_l2(error, message):
    said = exercises.relative_l2.problem_with(error)
    assert bool(said) == bool(message) and re.search(message, said)


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (lambda a, b: a @ b / (norm(a) * norm(b)), ""),
        (lambda a, b: a @ b, "inner product"),
        (lambda a, b: a @ b / norm(a), "one of the lengths only"),
        (lambda a, b: a @ b / norm(b), "first is missing"),
        (lambda a, b: a @ b / (a @ a) / (b @ b), "take roots"),
        (lambda a, b: -(a @ b) / (norm(a) * norm(b)), "minus the other"),
        (lambda a, b: np.arccos(a @ b / (norm(a) * norm(b))), "angle"),
        (lambda a, b: a * b, "shape"),
        (lambda a, b: 0.5, "but yours is 0.5"),
    ],
)
def test_score_of_two(score, message):
    said = exercises.score_of_two.problem_with(score)
    assert bool(said) == bool(message) and re.search(message, said)
