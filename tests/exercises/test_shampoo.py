"""Stubs fail, solutions pass, and plausible mistakes are told apart."""

import re

import numpy as np
import pytest

from pinnkit import exercises


def power(matrix, p):
    values, Q = np.linalg.eigh(matrix)
    return (Q * values**p) @ Q.T


@pytest.mark.parametrize(
    ("direction", "message"),
    [
        (lambda L, R, G: power(L, -0.25) @ G @ power(R, -0.25), ""),
        (lambda L, R, G: power(L, -0.5) @ G @ power(R, -0.5), "one too many"),
        (lambda L, R, G: power(L, 0.25) @ G @ power(R, 0.25), "positive"),
        (lambda L, R, G: power(L, -0.25) @ G, "R is missing"),
        (lambda L, R, G: G @ power(R, -0.25), "L is missing"),
        (lambda L, R, G: np.linalg.inv(L) @ G @ np.linalg.inv(R), "without taking a root"),
        (lambda L, R, G: G, "but yours is"),
        (lambda L, R, G: power(R, -0.25) @ G @ power(L, -0.25), "raised ValueError"),
        (lambda L, R, G: None, "returns nothing"),
    ],
)
def test_shampoo_direction(direction, message):
    said = exercises.shampoo_direction.problem_with(direction)
    assert bool(said) == bool(message) and re.search(message, said)


@pytest.mark.parametrize(
    ("adam", "message"),
    [
        (lambda QL, QR, v, G: QL @ ((QL.T @ G @ QR) / v**0.5) @ QR.T, ""),
        (lambda QL, QR, v, G: (QL.T @ G @ QR) / v**0.5, "still in the rotated"),
        (lambda QL, QR, v, G: QL.T @ ((QL @ G @ QR.T) / v**0.5) @ QR, "wrong way"),
        (lambda QL, QR, v, G: QL @ ((QL.T @ G @ QR) / v) @ QR.T, "by its root"),
        (lambda QL, QR, v, G: G / v**0.5, "unrotated"),
        (lambda QL, QR, v, G: QL @ ((QL.T @ G @ QR) * v**0.5) @ QR.T, "divides"),
        (lambda QL, QR, v, G: G, "but yours is"),
    ],
)
def test_rotated_adam(adam, message):
    said = exercises.rotated_adam.problem_with(adam)
    assert bool(said) == bool(message) and re.search(message, said)
