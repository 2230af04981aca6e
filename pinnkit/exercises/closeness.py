"""Exercises of notebook 09: the efficiency of a preconditioner, and what a power leaves."""

from __future__ import annotations

import numpy as np

from pinnkit.exercises._exercise import Exercise, compare

M = np.array([[5.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 1.0]])
KAPPA, POWER = 1e4, 0.5


def _check_efficiency(efficiency) -> str:
    trace, square, k = np.trace(M), np.sum(M**2), len(M)
    return compare(
        efficiency(M),
        trace**2 / (k * square),
        {
            "This grows with the number of directions: divide by k.": trace**2 / square,
            "The trace belongs squared: the efficiency must not depend on the scale of M.": trace
            / (k * square),
            "The Frobenius norm belongs squared.": trace**2 / (k * np.sqrt(square)),
            "You took only the diagonal of M into the norm: the other entries waste decrease, "
            "too.": trace**2 / (k * np.sum(np.diag(M) ** 2)),
            "This is the cosine: its square is asked for.": trace / np.sqrt(k * square),
            "You used the largest eigenvalue: all of them count.": trace**2
            / (k * np.linalg.eigvalsh(M)[-1] ** 2),
        },
        f"For M = {M.tolist()} the efficiency is {trace**2 / (k * square):.4f}",
    )


def _check_condition(condition) -> str:
    said = compare(
        condition(KAPPA, POWER),
        KAPPA ** (1 - POWER),
        {
            "The exponents add: C C^-p = C^(1 - p).": KAPPA ** (1 + POWER),
            "This is the condition number of C itself.": KAPPA,
            "This is the exponent: kappa to the power 1 - p.": 1 - POWER,
            "You multiplied instead of raising to a power.": KAPPA * (1 - POWER),
        },
        f"For kappa = {KAPPA:.0f} and p = {POWER} it is 100",
    )
    if said or np.isclose(condition(KAPPA, 0.25), KAPPA**0.75):
        if said or np.isclose(condition(KAPPA, 1.5), KAPPA**0.5):
            return said
        return (
            "Right up to p = 1. Beyond it the order of the eigenvalues is turned round, and a "
            "condition number is never below 1."
        )
    return "Right for p = 1/2 only: the exponent is 1 - p."


efficiency_of = Exercise(
    "the efficiency of a preconditioner",
    (
        "It must be 1 for M = c I: trace c k, squared Frobenius norm c^2 k.",
        "The square of the trace, over the squared Frobenius norm, over the number of directions.",
        "np.trace(M) ** 2 / (len(M) * np.sum(M**2))",
    ),
    _check_efficiency,
    "It is the squared cosine of the angle between M and the identity.",
)

condition_left = Exercise(
    "the condition number that a power leaves",
    (
        "C P has the eigenvalues c * c^-p.",
        "c^(1 - p) runs from 1 to kappa^(1 - p), or the other way round for p > 1.",
        "kappa ** abs(1 - p)",
    ),
    _check_condition,
    "Half the power leaves the root of the condition number: 10^6 becomes 10^3.",
)
