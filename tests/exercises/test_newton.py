"""Stubs fail, solutions pass, and plausible mistakes are told apart."""

import re

import numpy as np
import pytest

from pinnkit import exercises

pinv = np.linalg.pinv


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (lambda J, Jk, r: pinv(J.T @ J) @ Jk.T @ r, ""),
        (lambda J, Jk, r: pinv(Jk.T @ Jk) @ Jk.T @ r, "own matrix"),
        (lambda J, Jk, r: Jk.T @ r, "without the preconditioner"),
        (lambda J, Jk, r: -pinv(J.T @ J) @ Jk.T @ r, "sign"),
        (lambda J, Jk, r: pinv(J.T @ J) @ (2 * Jk.T @ r), "factors 2"),
        (lambda J, Jk, r: np.zeros(4), "but yours is"),
        (lambda J, Jk, r: Jk @ r, "raised ValueError"),
    ],
)
def test_part_of_step(part, message):
    said = exercises.part_of_step.problem_with(part)
    assert bool(said) == bool(message) and re.search(message, said)


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (lambda H, P, g, e: cosine(g, g - e * H @ P @ g), ""),
        (lambda H, P, g, e: cosine(g, g - e * H @ g), "left the preconditioner out"),
        (lambda H, P, g, e: cosine(g, g - e * P @ H @ g), "order"),
        (lambda H, P, g, e: cosine(g, g + e * H @ P @ g), "sign"),
        (lambda H, P, g, e: cosine(g, P @ g), "with the step"),
        (lambda H, P, g, e: cosine(g, -H @ P @ g), "change of the gradient"),
        (lambda H, P, g, e: g @ (g - e * H @ P @ g), "both lengths"),
        (lambda H, P, g, e: 1.0, "but yours is"),
    ],
)
def test_inter_step(score, message):
    said = exercises.inter_step.problem_with(score)
    assert bool(said) == bool(message) and re.search(message, said)
