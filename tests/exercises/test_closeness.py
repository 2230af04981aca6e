"""Stubs fail, solutions pass, and plausible mistakes are told apart."""

import re

import numpy as np
import pytest

from pinnkit import exercises


@pytest.mark.parametrize(
    ("efficiency", "message"),
    [
        (lambda M: np.trace(M) ** 2 / (len(M) * np.sum(M**2)), ""),
        (lambda M: np.trace(M) ** 2 / np.sum(M**2), "divide by k"),
        (lambda M: np.trace(M) / (len(M) * np.sum(M**2)), "scale of M"),
        (lambda M: np.trace(M) ** 2 / (len(M) * np.linalg.norm(M)), "Frobenius norm belongs"),
        (lambda M: np.trace(M) ** 2 / (len(M) * np.sum(np.diag(M) ** 2)), "only the diagonal"),
        (lambda M: np.trace(M) / np.sqrt(len(M) * np.sum(M**2)), "cosine"),
        (lambda M: np.trace(M) ** 2 / (3 * np.linalg.eigvalsh(M)[-1] ** 2), "largest eigenvalue"),
        (lambda M: 1.0, "but yours is"),
    ],
)
def test_efficiency_of(efficiency, message):
    said = exercises.efficiency_of.problem_with(efficiency)
    assert bool(said) == bool(message) and re.search(message, said)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (lambda kappa, p: kappa ** abs(1 - p), ""),
        (lambda kappa, p: kappa ** (1 - p), "Beyond it"),
        (lambda kappa, p: kappa ** (1 + p), "exponents add"),
        (lambda kappa, p: kappa, "C itself"),
        (lambda kappa, p: 1 - p, "This is the exponent"),
        (lambda kappa, p: kappa * (1 - p), "multiplied"),
        (lambda kappa, p: kappa**p, "p = 1/2 only"),
        (lambda kappa, p: 3.0, "but yours is"),
    ],
)
def test_condition_left(condition, message):
    said = exercises.condition_left.problem_with(condition)
    assert bool(said) == bool(message) and re.search(message, said)
