"""Stubs fail, solutions pass, and plausible mistakes are told apart."""

import re

import numpy as np
import pytest

from pinnkit import exercises


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (lambda a, b: a @ b.T, ""),
        (lambda a, b: a.T @ b, "Gauss-Newton"),
        (lambda a, b: b @ a.T, "transpose"),
        (lambda a, b: a @ a.T, "twice"),
        (lambda a, b: a * b, "entry by entry"),
        (lambda a, b: a @ b, "raised ValueError"),
        (lambda a, b: 2 * a @ b.T, "but yours is"),
        (lambda a, b: None, "returns nothing"),
    ],
)
def test_kernel_block(block, message):
    said = exercises.kernel_block.problem_with(block)
    assert bool(said) == bool(message) and re.search(message, said)


@pytest.mark.parametrize(
    ("half_life", "message"),
    [
        (lambda e, m: np.log(0.5) / np.log1p(-e / m), ""),
        (lambda e, m: -1 / np.log1p(-e / m), "37 %"),
        (lambda e, m: m / e, "ratio"),
        (lambda e, m: np.log(2) / np.log1p(-e / m), "no minus sign"),
        (lambda e, m: np.log1p(-e / m) / np.log(0.5), "upside down"),
        (lambda e, m: 1 - e / m, "single step"),
        (lambda e, m: 0.5 * m / e, "log 2"),
        (lambda e, m: 3.0, "but yours is"),
    ],
)
def test_half_life(half_life, message):
    said = exercises.half_life.problem_with(half_life)
    assert bool(said) == bool(message) and re.search(message, said)
