"""Exercises of notebook 05: PCGrad's projection, and weights from gradient norms."""

from __future__ import annotations

import numpy as np

from pinnkit.exercises._exercise import Exercise, compare

G, OTHER = np.array([3.0, 1.0, 0.0]), np.array([-1.0, 1.0, 2.0])
FRIEND = np.array([1.0, 1.0, 0.0])
GRADIENTS = {"pde": np.array([3.0, 4.0]), "initial": np.array([0.0, 0.5])}


def _check_project(project) -> str:
    dot = G @ OTHER
    right = G - dot / (OTHER @ OTHER) * OTHER
    said = compare(
        project(G, OTHER),
        right,
        {
            "The component was added instead of taken away.": G + dot / (OTHER @ OTHER) * OTHER,
            "This is the component along the other gradient: take it away from g.": dot
            / (OTHER @ OTHER)
            * OTHER,
            "You divided by the length of the other gradient once: its square belongs there.": G
            - dot / np.linalg.norm(OTHER) * OTHER,
            "You divided by the square of g: project on the other gradient, divide by its own "
            "square.": G - dot / (G @ G) * OTHER,
            "The conflict was not touched: the result still has a negative product with the "
            "other.": G,
        },
        f"For {G.tolist()} and {OTHER.tolist()} the result is {right.round(3).tolist()}",
    )
    if said or np.allclose(project(G, FRIEND), G):
        return said
    return (
        "Right for gradients that conflict. Where they agree (a positive product) nothing is to be "
        "taken away."
    )


def _check_weights(weights) -> str:
    got = weights(GRADIENTS)
    if not isinstance(got, dict) or set(got) != set(GRADIENTS):
        return f"Expected a dictionary with {', '.join(GRADIENTS)}, got {got!r}."
    lengths = {n: np.linalg.norm(g) for n, g in GRADIENTS.items()}
    total = sum(lengths.values())
    squares = {n: length**2 for n, length in lengths.items()}
    return compare(
        [got[n] for n in GRADIENTS],
        [total / length for length in lengths.values()],
        {
            "Upside down: the term with the longest gradient must get the smallest weight.": [
                length / total for length in lengths.values()
            ],
            "The weighted gradients are equally long, but not as long as asked: multiply by the "
            "sum of all lengths.": [1 / length for length in lengths.values()],
            "You took the squares of the lengths.": [
                sum(squares.values()) / square for square in squares.values()
            ],
            "You took the sum of the entries' absolute values: the length is the root of the sum "
            "of squares.": [
                sum(np.abs(g).sum() for g in GRADIENTS.values()) / np.abs(h).sum()
                for h in GRADIENTS.values()
            ],
        },
        f"For gradients of the lengths {list(lengths.values())} the weights are 1.1 and 11",
    )


project = Exercise(
    "PCGrad's projection",
    (
        "The component of g along the other gradient is (g . other) / |other|^2 * other.",
        "Take it away only if g . other is negative.",
        "g - min(g @ other, 0) / (other @ other) * other",
    ),
    _check_project,
    "What is left is orthogonal to the other gradient: a small step along it leaves that term as "
    "it is.",
)

gradient_norm_weights = Exercise(
    "weights from gradient norms",
    (
        "First the lengths: np.linalg.norm of each gradient.",
        "w * |g| must be the same for all terms, so w is a constant over |g|.",
        "The constant is the sum of all lengths.",
    ),
    _check_weights,
    "Balance of lengths. It says nothing about the angle between the gradients.",
)
