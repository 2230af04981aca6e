"""Exercises of notebook 02: the largest stable rate, Newton's step, a direction that helps both."""

from __future__ import annotations

import numpy as np

from pinnkit.exercises._exercise import Exercise, compare

HESSIAN = np.array([[5.0, 2.0], [2.0, 2.0]])  # eigenvalues 6 and 1
GRADIENT = np.array([1.0, -3.0])


def _check_rate(rate) -> str:
    values = np.linalg.eigvalsh(HESSIAN)
    return compare(
        rate(HESSIAN),
        2 / values[-1],
        {
            "At this rate the stiff component is gone in one step, which is safe. It may be up to "
            "twice as large.": 1 / values[-1],
            "You took the smallest eigenvalue: along the stiffest direction this diverges.": 2
            / values[0],
            "You took the trace, the sum of the eigenvalues: safe, but not the largest.": 2
            / np.trace(HESSIAN),
            "You took the largest entry of the diagonal. Only where the Hessian is diagonal is "
            "that its largest eigenvalue.": 2 / HESSIAN.diagonal().max(),
            "This is the eigenvalue itself: the rate is 2 divided by it.": values[-1],
        },
        f"For the Hessian {HESSIAN.tolist()}, whose eigenvalues are 1 and 6, the limit is 1/3",
    )


def _check_newton(step) -> str:
    right = -np.linalg.solve(HESSIAN, GRADIENT)
    return compare(
        step(GRADIENT, HESSIAN),
        right,
        {
            "The sign is wrong: a step goes down, against the gradient.": -right,
            "You multiplied by the Hessian: Newton multiplies by its inverse.": -HESSIAN @ GRADIENT,
            "You divided by the diagonal alone: that is a diagonal preconditioner, as Adam has. "
            "Solve with the whole matrix.": -GRADIENT / HESSIAN.diagonal(),
            "This is gradient descent with rate 1: the Hessian is not in it.": -GRADIENT,
            "You divided by the entries of the matrix one by one: "
            "`np.linalg.solve(hessian, gradient)` inverts it.": -GRADIENT / HESSIAN,
        },
        f"For the gradient {GRADIENT.tolist()} and the Hessian {HESSIAN.tolist()} Newton's step "
        f"is {right.round(3).tolist()}",
    )


stable_rate = Exercise(
    "the largest stable rate of gradient descent",
    (
        "Look along one eigenvector of the Hessian: by which factor does a step multiply the "
        "distance to the minimum?",
        "The factor is 1 - rate * eigenvalue. When does its absolute value exceed 1?",
        "rate < 2 / eigenvalue must hold for every eigenvalue, so for the largest: "
        "`np.linalg.eigvalsh` returns them in rising order.",
    ),
    _check_rate,
    "The stiffest direction sets the pace of all: that is why a condition number matters.",
)

newton_step = Exercise(
    "Newton's step",
    (
        "Which step d makes the gradient of the quadratic model, g + H d, vanish?",
        "H d = -g is a linear system for d.",
        "`np.linalg.solve(hessian, gradient)` solves it; mind the sign.",
    ),
    _check_newton,
    "One step, whatever the condition number: the inverse Hessian is the ideal preconditioner.",
)
