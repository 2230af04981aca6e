"""Stubs fail, solutions pass, and plausible mistakes are told apart."""

import re
from statistics import mean, median

import pytest

from pinnkit import exercises


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (lambda budget, trial: max(1, int(100 * budget / trial)), ""),
        (lambda budget, trial: 100 * budget / trial, "whole number"),
        (lambda budget, trial: int(100 * budget / trial) + 1, "Rounded up"),
        (lambda budget, trial: int(budget / trial), "counts trials"),
        (lambda budget, trial: int(100 * trial / budget), "upside down"),
        (lambda budget, trial: int(100 * budget / trial), "return 1"),
        (lambda budget, trial: 5, "but yours is"),
        (lambda budget, trial: None, "returns nothing"),
    ],
)
def test_steps_within(steps, message):
    said = exercises.steps_within.problem_with(steps)
    assert bool(said) == bool(message) and re.search(message, said)


@pytest.mark.parametrize(
    ("better", "message"),
    [
        (lambda a, b: max(a) < min(b), ""),
        (lambda a, b: min(a) > max(b), "on every seed"),
        (lambda a, b: True, "wrong way"),
        (lambda a, b: median(a) < median(b), "overlap"),
        (lambda a, b: mean(a) < mean(b), "overlap"),
        (lambda a, b: max(a) < mean(b), "max with min"),
        (lambda a, b: False, "on every seed"),
        (lambda a, b: None, "returns nothing"),
    ],
)
def test_clearly_better(better, message):
    said = exercises.clearly_better.problem_with(better)
    assert bool(said) == bool(message) and re.search(message, said)
