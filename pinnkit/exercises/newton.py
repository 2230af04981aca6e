"""Exercises of notebook 06: one term's part of a Gauss-Newton step, an inter-step score."""

from __future__ import annotations

import numpy as np

from pinnkit.exercises._exercise import Exercise, compare

J = np.array([[1.0, 2.0, 0.0, 1.0], [0.0, 1.0, 1.0, -1.0], [2.0, 0.0, 1.0, 0.0]])
J_K, R_K = J[:2], np.array([1.0, -2.0])
H = np.array([[4.0, 1.0], [1.0, 1.0]])
P = np.array([[1.0, 0.0], [0.0, 3.0]])
G, ETA = np.array([1.0, 2.0]), 0.3


def _check_part(part) -> str:
    inverse = np.linalg.pinv(J.T @ J)
    right = inverse @ J_K.T @ R_K
    return compare(
        part(J, J_K, R_K),
        right,
        {
            "You inverted the term's own matrix: the preconditioner is that of the whole loss, "
            "which is how the other terms are spared.": np.linalg.pinv(J_K.T @ J_K) @ J_K.T @ R_K,
            "This is the term's gradient, without the preconditioner.": J_K.T @ R_K,
            "The sign: the step is minus the sum of the parts.": -right,
            "The gradient is 2 J_k^T r_k and the Gauss-Newton matrix 2 J^T J: both or none of the "
            "factors 2.": 2 * right,
        },
        f"For this J the part is {right.round(3).tolist()}",
    )


def _cosine(a, b) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def _check_score(score) -> str:
    right = _cosine(G, G - ETA * H @ P @ G)
    return compare(
        score(H, P, G, ETA),
        right,
        {
            "You left the preconditioner out: the step is eta P g.": _cosine(G, G - ETA * H @ G),
            "The order matters: the step is P g, and H acts on it.": _cosine(
                G, G - ETA * P @ H @ G
            ),
            "The sign: the gradient changes by minus eta H P g.": _cosine(G, G + ETA * H @ P @ G),
            "You compared the gradient with the step, not with the gradient after it.": _cosine(
                G, P @ G
            ),
            "You compared with the change of the gradient: add the gradient itself.": _cosine(
                G, -H @ P @ G
            ),
            "This is the inner product: divide by both lengths.": float(G @ (G - ETA * H @ P @ G)),
        },
        f"For H = {H.tolist()}, P = {P.tolist()}, g = {G.tolist()}, eta = {ETA} the score is "
        f"{right:.4f}",
    )


part_of_step = Exercise(
    "one term's part of the Gauss-Newton step",
    (
        "The gradient of term k is 2 J_k^T r_k. What does Gauss-Newton multiply it by?",
        "By the pseudo-inverse of 2 J^T J, with the Jacobian of all terms.",
        "np.linalg.pinv(J.T @ J) @ J_k.T @ r_k",
    ),
    _check_part,
    "Here J has full row rank, so J_k d_k = r_k, and the third residual does not change.",
)

inter_step = Exercise(
    "an inter-step score",
    (
        "What is the gradient after the step? On a quadratic loss it changes by H times the step.",
        "g' = g - eta H P g.",
        "The score of two gradients is their cosine: g . g' / (|g| |g'|).",
    ),
    _check_score,
    "With P = H^-1 it would be exactly 1 for any eta below 1.",
)
