"""Exercises of notebook 04: a block of the tangent kernel, and how long an eigenvalue takes."""

from __future__ import annotations

import numpy as np

from pinnkit.exercises._exercise import Exercise, compare

FIRST = np.array([[1.0, 2.0, 0.0], [0.0, -1.0, 3.0]])
SECOND = np.array([[2.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
EIGENVALUE, LARGEST = 0.02, 4.0


def _check_block(block) -> str:
    return compare(
        block(FIRST, SECOND),
        FIRST @ SECOND.T,
        {
            "This is J^T J, parameters by parameters, the Gauss-Newton matrix. The kernel has a "
            "row and a column for each residual: transpose the other one.": FIRST.T @ SECOND,
            "This is K_kj, the transpose: rows belong to the first term.": SECOND @ FIRST.T,
            "You used the first Jacobian twice: that is a diagonal block.": FIRST @ FIRST.T,
            "You multiplied entry by entry: a sum over the parameters is missing.": FIRST * SECOND,
        },
        f"For {FIRST.tolist()} and {SECOND.tolist()} the block is {(FIRST @ SECOND.T).tolist()}",
    )


def _check_half_life(half_life) -> str:
    share = EIGENVALUE / LARGEST
    right = np.log(0.5) / np.log1p(-share)
    return compare(
        half_life(EIGENVALUE, LARGEST),
        right,
        {
            "After that many steps 1/e is left, about 37 %, not half.": -1 / np.log1p(-share),
            "This is the ratio of the eigenvalues: after that many steps about 1/e is left.": 1
            / share,
            "The number of steps is positive: both logarithms are negative, so no minus sign.": (
                -right
            ),
            "The quotient is upside down.": 1 / right,
            "This is what a single step leaves.": 1 - share,
            "Half of the ratio is not enough: the loss per step shrinks with what is left, which "
            "makes it log 2 of the ratio.": 0.5 / share,
        },
        f"For the eigenvalue {EIGENVALUE} and the largest {LARGEST} it takes {right:.2f} steps",
        rtol=1e-4,
    )


kernel_block = Exercise(
    "a block of the tangent kernel",
    (
        "Entry (a, b) is the inner product of two gradients: that of residual a of the first term "
        "and that of residual b of the second.",
        "The sum runs over the parameters, the second index of both Jacobians.",
        "J_j @ J_k.T",
    ),
    _check_block,
    "The same Jacobians give J^T J, the Gauss-Newton matrix, with the same eigenvalues but zeros.",
)

half_life = Exercise(
    "steps until half is left",
    (
        "After n steps (1 - eigenvalue / largest)^n is left.",
        "Take the logarithm on both sides of (1 - eigenvalue / largest)^n = 1/2.",
        "np.log(0.5) / np.log1p(-eigenvalue / largest)",
    ),
    _check_half_life,
    "An eigenvalue 10^6 times smaller than the largest takes 700,000 steps to lose half.",
)
