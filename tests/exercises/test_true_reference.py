"""Stubs fail, solutions pass, and plausible mistakes are told apart."""

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest

from pinnkit import exercises

NOTEBOOK = next((Path(__file__).parents[2] / "notebooks").glob("12_*.ipynb"))


def log_ratio(e):
    return np.log(e[:-1] / e[1:])


def norm_ratio(c, f):
    return np.linalg.norm(c - f) / np.linalg.norm(f)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (lambda n, e: log_ratio(e) / np.log(n[1:] / n[:-1]), ""),
        (lambda n, e: np.diff(np.log(e)) / -np.diff(np.log(n)), ""),
        (lambda n, e: log_ratio(e) / np.log(2), "wrong for steps that triple"),
        (lambda n, e: -log_ratio(e) / np.log(n[1:] / n[:-1]), "sign is wrong"),
        (lambda n, e: log_ratio(e), "logarithm of the errors' ratio only"),
        (lambda n, e: e[:-1] / e[1:], "factor by which the error falls"),
        (lambda n, e: np.log(n[1:] / n[:-1]) / log_ratio(e), "upside down"),
        (lambda n, e: 3.0, r"one for each pair of neighbours, but you return shape \(\)"),
        (lambda n, e: log_ratio(e) * 2, "every order is 3, but your first one is 4.1589"),
        (lambda n, e: None, "returns nothing"),
    ],
)
def test_observed_order(order, message):
    said = exercises.observed_order.problem_with(order)
    assert bool(said) == bool(message) and re.search(message, said)


@pytest.mark.parametrize(
    ("estimate", "message"),
    [
        (lambda c, f, p: norm_ratio(c, f) / (2**p - 1), ""),
        (lambda c, f, p: norm_ratio(c, f), "about the error of the coarse one"),
        (lambda c, f, p: norm_ratio(c, f) / 2**p, r"2\^p - 1 fine errors"),
        (lambda c, f, p: norm_ratio(c, f) / p, r"differ by the factor 2\^p"),
        (lambda c, f, p: norm_ratio(c, f) * 2**p / (2**p - 1), "for the coarse solution"),
        (lambda c, f, p: np.linalg.norm(c - f) / (2**p - 1), "relative error is asked for"),
        (lambda c, f, p: norm_ratio(c, f) / (1 - 2**p), "sign is wrong"),
        (lambda c, f, p: norm_ratio(c, f) / 15, "use the argument `order`"),
        (lambda c, f, p: np.abs(c - f), r"a norm, but you return shape \(3,\)"),
        (lambda c, f, p: 1.0, "yours is 1.000e"),
        (lambda c, f, p: None, "returns nothing"),
    ],
)
def test_error_from_two_solutions(estimate, message):
    said = exercises.error_from_two_solutions.problem_with(estimate)
    assert bool(said) == bool(message) and re.search(message, said)


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (lambda m, e: (abs(m - e), m + e), ""),
        (lambda m, e: (m - e, m + e), "lower bound is negative"),
        (lambda m, e: (max(0, m - e), m + e), "cannot be exact"),
        (lambda m, e: (m + e, abs(m - e)), "first the smallest"),
        (lambda m, e: (m - e, m), "may also be larger"),
        (lambda m, e: (m, m + e), "may also be smaller"),
        (lambda m, e: (np.sqrt(m**2 - e**2), np.sqrt(m**2 + e**2)), "no squares"),
        (lambda m, e: m + e, r"not shape \(\)"),
        (lambda m, e: (m / 3, 2 * m), "2e-4 to 4e-4, not"),
        (lambda m, e: None, "returns nothing"),
    ],
)
def test_honest_claim(claim, message):
    said = exercises.honest_claim.problem_with(claim)
    assert bool(said) == bool(message) and re.search(message, said)


@pytest.mark.parametrize(
    ("name", "exercise"),
    [
        ("observed_order", exercises.observed_order),
        ("error_estimate", exercises.error_from_two_solutions),
        ("honest_claim", exercises.honest_claim),
    ],
)
def test_the_notebook_holds_stub_and_solution(name, exercise):
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    stub = next(c.source for c in cells if c.cell_type == "code" and f"def {name}(" in c.source)
    solution = next(
        re.search(r"```python\n(.*?)```", c.source[c.source.index(f"def {name}(") - 20 :], re.S)[1]
        for c in cells
        if c.cell_type == "markdown" and f"def {name}(" in c.source
    )
    for source, right in ((stub.split("exercises.")[0], False), (solution, True)):
        namespace = {"np": np}
        exec(source, namespace)
        assert (exercise.problem_with(namespace[name]) == "") == right
    assert exercise.problem_with(None)
    assert len(exercise.hints) == 3
