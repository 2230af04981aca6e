"""Exercises of notebook 08: Shampoo's direction, and Adam in a rotated basis."""

from __future__ import annotations

import numpy as np

from pinnkit.exercises._exercise import Exercise, compare

L = np.array([[5.0, 2.0], [2.0, 2.0]])
R = np.array([[3.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 1.0]])
G = np.array([[1.0, -2.0, 0.5], [0.0, 1.5, -1.0]])
QL = np.array([[0.8, -0.6], [0.6, 0.8]])
QR = np.array([[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
V = np.array([[4.0, 1.0, 0.25], [9.0, 2.0, 1.0]])


def _power(matrix, p):
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * values**p) @ vectors.T


def _check_shampoo(direction) -> str:
    right = _power(L, -0.25) @ G @ _power(R, -0.25)
    return compare(
        direction(L, R, G),
        right,
        {
            "The power -1/2 on both sides is one too many: together they must undo G once.": (
                _power(L, -0.5) @ G @ _power(R, -0.5)
            ),
            "The powers are positive: large factors must shrink the step.": _power(L, 0.25)
            @ G
            @ _power(R, 0.25),
            "The columns are not preconditioned: R is missing.": _power(L, -0.25) @ G,
            "The rows are not preconditioned: L is missing.": G @ _power(R, -0.25),
            "You inverted the factors without taking a root.": _power(L, -1) @ G @ _power(R, -1),
        },
        f"The first row of the direction is {right[0].round(3).tolist()}",
    )


def _check_rotated(adam) -> str:
    inside = QL.T @ G @ QR
    right = QL @ (inside / np.sqrt(V)) @ QR.T
    return compare(
        adam(QL, QR, V, G),
        right,
        {
            "You are still in the rotated basis: rotate back, QL @ .. @ QR.T.": inside / np.sqrt(V),
            "You rotated the wrong way: into the basis it is QL.T @ G @ QR.": QL.T
            @ ((QL @ G @ QR.T) / np.sqrt(V))
            @ QR,
            "You divided by v instead of by its root.": QL @ (inside / V) @ QR.T,
            "You divided the unrotated gradient: v belongs to the rotated one.": G / np.sqrt(V),
            "You multiplied by the root of v: Adam divides.": QL @ (inside * np.sqrt(V)) @ QR.T,
        },
        f"The first row of the direction is {right[0].round(3).tolist()}",
    )


shampoo_direction = Exercise(
    "Shampoo's direction",
    (
        "L acts on the rows of G, from the left; R on its columns, from the right.",
        "Both are quadratic in G: a square root makes each as large as G, and they share it.",
        "power(L, -0.25) @ G @ power(R, -0.25)",
    ),
    _check_shampoo,
    "For a G of one row it becomes G / |G|, up to averages: the length is taken out.",
)

rotated_adam = Exercise(
    "Adam in another basis",
    (
        "First rotate the gradient: rows with QL.T, columns with QR.",
        "Divide entry by entry by the root of v.",
        "Rotate back: QL @ (..) @ QR.T.",
    ),
    _check_rotated,
    "With QL and QR the eigenvectors of Shampoo's factors this is SOAP, but for its averages.",
)
