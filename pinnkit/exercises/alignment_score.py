"""Exercises of notebook 03: the score from pairs, and what it says about them."""

from __future__ import annotations

import numpy as np

from pinnkit.exercises._exercise import Exercise, compare

VECTORS = np.array([[3.0, 1.0, 0.0], [-1.0, 2.0, 1.0], [0.5, 0.0, 2.0]])
SCORE, COUNT = -0.4, 3


def _check_pairs(score) -> str:
    units = VECTORS / np.linalg.norm(VECTORS, axis=1)[:, None]
    n = len(VECTORS)
    cosines = (units @ units.T)[np.triu_indices(n, 1)]
    mean = cosines.mean()
    right = 2 * (1 / n + (n - 1) / n * mean) - 1
    dots = (VECTORS @ VECTORS.T)[np.triu_indices(n, 1)]
    return compare(
        score([*VECTORS]),
        right,
        {
            "This is the mean cosine itself: the score counts each vector's product with itself, "
            "too.": mean,
            "This is |mean|^2: stretch it to [-1, 1], 2 |mean|^2 - 1.": (right + 1) / 2,
            "You multiplied the vectors without dividing by their lengths: long ones must not "
            "count more.": 2 * (1 / n + (n - 1) / n * dots.mean()) - 1,
            "Among the n^2 products there are n of a vector with itself and n (n - 1) of "
            "different ones: the mean cosine has the weight (n - 1) / n.": 2 * (1 / n + mean) - 1,
            "You summed the cosines instead of taking their mean.": 2
            * (1 / n + (n - 1) / n * cosines.sum())
            - 1,
            "The products of a vector with itself are missing: they contribute 1 / n.": 2
            * (n - 1)
            / n
            * mean
            - 1,
        },
        f"For the vectors {VECTORS.tolist()} the score is {right:.4f}",
    )


def _check_cosine(mean_cosine) -> str:
    right = ((SCORE + 1) / 2 * COUNT - 1) / (COUNT - 1)
    said = compare(
        mean_cosine(SCORE, COUNT),
        right,
        {
            "For two gradients the score is the cosine, for more it is not: solve "
            "A = 2 (1/n + (n - 1)/n c) - 1 for c.": SCORE,
            "This is |mean|^2, the first step of the solution.": (SCORE + 1) / 2,
            "The 1/n of the vectors with themselves has not been taken off.": (SCORE + 1)
            / 2
            * COUNT
            / (COUNT - 1),
            "The last factor is upside down: divide by (n - 1) / n.": ((SCORE + 1) / 2 - 1 / COUNT)
            * (COUNT - 1)
            / COUNT,
        },
        f"For the score {SCORE} of {COUNT} gradients the mean cosine is {right:.2f}",
    )
    if said or np.isclose(mean_cosine(0.3, 2), 0.3):
        return said
    return "Right for three gradients; for two it must be the score itself: use the argument n."


score_from_pairs = Exercise(
    "the score from the cosines of all pairs",
    (
        "|mean of unit vectors|^2 is 1/n^2 times the sum of all n^2 products of two of them.",
        "n of these products are 1, a vector with itself; the others are cosines, each twice.",
        "2 (1/n + (n - 1)/n * mean cosine) - 1, the mean taken over the pairs i > j.",
    ),
    _check_pairs,
    "The score is an average over pairs: one pair in conflict can hide among many that agree.",
)

mean_cosine = Exercise(
    "the mean cosine behind a score",
    (
        "Start from A = 2 (1/n + (n - 1)/n c) - 1.",
        "(A + 1) / 2 = 1/n + (n - 1)/n c: bring 1/n to the left.",
        "c = ((A + 1) / 2 * n - 1) / (n - 1).",
    ),
    _check_cosine,
    "-0.4 of three gradients is a mean cosine of -0.05: hardly a conflict at all.",
)
