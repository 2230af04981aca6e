"""Stubs fail, solutions pass, and plausible mistakes are told apart."""

import re

import numpy as np
import pytest

from pinnkit import exercises


def cosines(vectors):
    units = [v / np.linalg.norm(v) for v in vectors]
    return [units[i] @ units[j] for i in range(len(units)) for j in range(i)]


def from_mean(mean, n=3):
    return 2 * (1 / n + (n - 1) / n * mean) - 1


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (lambda v: from_mean(np.mean(cosines(v)), len(v)), ""),
        (lambda v: np.mean(cosines(v)), "mean cosine itself"),
        (lambda v: (from_mean(np.mean(cosines(v))) + 1) / 2, "stretch"),
        (lambda v: from_mean((v[0] @ v[1] + v[0] @ v[2] + v[1] @ v[2]) / 3), "lengths"),
        (lambda v: 2 * (1 / 3 + np.mean(cosines(v))) - 1, "weight"),
        (lambda v: from_mean(np.sum(cosines(v))), "summed"),
        (lambda v: 4 / 3 * np.mean(cosines(v)) - 1, "contribute 1 / n"),
        (lambda v: 0.0, "but yours is 0.0"),
        (lambda v: None, "returns nothing"),
    ],
)
def test_score_from_pairs(score, message):
    said = exercises.score_from_pairs.problem_with(score)
    assert bool(said) == bool(message) and re.search(message, said)


@pytest.mark.parametrize(
    ("mean", "message"),
    [
        (lambda A, n: ((A + 1) / 2 * n - 1) / (n - 1), ""),
        (lambda A, n: A, "two gradients the score is the cosine"),
        (lambda A, n: (A + 1) / 2, "first step"),
        (lambda A, n: (A + 1) / 2 * n / (n - 1), "taken off"),
        (lambda A, n: ((A + 1) / 2 - 1 / n) * (n - 1) / n, "upside down"),
        (lambda A, n: ((A + 1) / 2 * 3 - 1) / 2, "use the argument n"),
        (lambda A, n: 1.0, "but yours is"),
    ],
)
def test_mean_cosine(mean, message):
    said = exercises.mean_cosine.problem_with(mean)
    assert bool(said) == bool(message) and re.search(message, said)
