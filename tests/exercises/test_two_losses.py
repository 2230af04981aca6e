"""Stubs fail, solutions pass, and plausible mistakes are told apart."""

import re

import numpy as np
import pytest

from pinnkit import exercises

eigen = np.linalg.eigvalsh


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (lambda H: 2 / eigen(H)[-1], ""),
        (lambda H: 1 / eigen(H)[-1], "twice as large"),
        (lambda H: 2 / eigen(H)[0], "smallest eigenvalue"),
        (lambda H: 2 / np.trace(H), "trace"),
        (lambda H: 2 / H.max(), "diagonal"),
        (lambda H: eigen(H)[-1], "divided by it"),
        (lambda H: 0.1, "but yours is 0.1"),
        (lambda H: 2 / eigen(H), r"shape \(\), but you return \(2,\)"),
        (lambda H: None, "returns nothing"),
    ],
)
def test_stable_rate(rate, message):
    said = exercises.stable_rate.problem_with(rate)
    assert bool(said) == bool(message) and re.search(message, said)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda g, H: -np.linalg.solve(H, g), ""),
        (lambda g, H: -np.linalg.inv(H) @ g, ""),
        (lambda g, H: np.linalg.solve(H, g), "sign"),
        (lambda g, H: -H @ g, "its inverse"),
        (lambda g, H: -g / np.diag(H), "diagonal alone"),
        (lambda g, H: -g, "not in it"),
        (lambda g, H: -g / H, "one by one"),
        (lambda g, H: 0 * g, "but yours is"),
        (lambda g, H: np.linalg.solve(g, H), "raised LinAlgError"),
    ],
)
def test_newton_step(step, message):
    said = exercises.newton_step.problem_with(step)
    assert bool(said) == bool(message) and re.search(message, said)
