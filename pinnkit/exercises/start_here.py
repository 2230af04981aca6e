"""Exercises of notebook 00: the relative error, and the alignment of two gradients."""

from __future__ import annotations

import numpy as np

from pinnkit.exercises._exercise import Exercise, compare

EXACT = np.array([[3.0, -1.0], [2.0, 0.0]])
PREDICTED = np.array([[2.5, -1.0], [2.0, 0.75]])
A, B = np.array([3.0, 0.0, 4.0]), np.array([1.0, 2.0, -2.0])


def _check_error(error) -> str:
    difference = PREDICTED - EXACT
    size = np.linalg.norm(difference)
    right = size / np.linalg.norm(EXACT)
    said = compare(
        error(PREDICTED, EXACT),
        right,
        {
            "This is the absolute error: divide by the size of the exact solution.": size,
            "You divided by the size of the prediction: the exact solution is the yardstick.": size
            / np.linalg.norm(PREDICTED),
            "This is the square of the relative error: take the root.": right**2,
            "You took mean absolute values: the L2 norm is the root of a sum of squares.": np.abs(
                difference
            ).mean()
            / np.abs(EXACT).mean(),
            "You took the largest values: that is the maximum norm.": np.abs(difference).max()
            / np.abs(EXACT).max(),
            "This is the root mean square: divide by that of the exact solution, too.": size / 2,
        },
        f"For u = {PREDICTED.tolist()} and the exact {EXACT.tolist()} the error is {right:.4f}",
    )
    if said or np.isclose(error(PREDICTED[:, 0], EXACT[:, 0]), 0.5 / np.sqrt(13)):
        return said
    return "Right for a grid of 2 x 2 points, not for other shapes: do not count the points."


def _check_cosine(cosine) -> str:
    dot, a, b = A @ B, np.linalg.norm(A), np.linalg.norm(B)
    return compare(
        cosine(A, B),
        dot / (a * b),
        {
            "This is the inner product: divide by both lengths, so that only the directions "
            "count.": dot,
            "You divided by one of the lengths only.": dot / a,
            "You divided by one of the lengths only: the first is missing.": dot / b,
            "You divided by the squared lengths: take roots.": dot / (a * b) ** 2,
            "This is the cosine between one gradient and minus the other: the gradients conflict "
            "where it is negative.": -dot / (a * b),
            "This is the angle: the score is its cosine.": np.arccos(dot / (a * b)),
        },
        f"For {A.tolist()} and {B.tolist()} it is {dot / (a * b):.4f}",
    )


relative_l2 = Exercise(
    "the relative L2 error",
    (
        "The size of an array is the root of the sum of its squares: np.linalg.norm.",
        "How large is the difference, compared with the exact solution?",
        "np.linalg.norm(u - exact) / np.linalg.norm(exact)",
    ),
    _check_error,
    "An error of 1e-3 is a tenth of a percent of the solution, whatever its units.",
)

score_of_two = Exercise(
    "the alignment score of two gradients",
    (
        "For two vectors the score is the cosine of the angle between them.",
        "a . b = |a| |b| cos(angle).",
        "a @ b / (np.linalg.norm(a) * np.linalg.norm(b))",
    ),
    _check_cosine,
    "-1/3: a step down one loss climbs the other, a little. Lengths have no say in it.",
)
