"""Exercises of notebook 10: a damped Gauss-Newton step, by parameters and by residuals."""

from __future__ import annotations

import numpy as np

from pinnkit.exercises._exercise import Exercise, compare

J = np.array([[1.0, 2.0, 0.0, 1.0], [0.0, 1.0, -1.0, 3.0]])
R, MU = np.array([1.0, -2.0]), 0.5


def _step() -> np.ndarray:
    return np.linalg.solve(J.T @ J + MU * np.eye(4), -J.T @ R)


def _check_step(step) -> str:
    right = _step()
    return compare(
        step(J, R, MU),
        right,
        {
            "The sign: the step goes against J^T r.": -right,
            "The damping is missing: J^T J alone is nearly singular.": np.linalg.pinv(J.T @ J)
            @ (-J.T @ R),
            "You added mu to every entry of the matrix: it belongs on the diagonal, mu times the "
            "identity.": np.linalg.pinv(J.T @ J + MU) @ (-J.T @ R),
            "You multiplied by the matrix instead of solving with it.": (J.T @ J + MU * np.eye(4))
            @ (-J.T @ R),
            "This is a gradient step: J^T J is not in it.": -J.T @ R / MU,
            "You damped by mu squared.": np.linalg.solve(J.T @ J + MU**2 * np.eye(4), -J.T @ R),
        },
        f"For J = {J.tolist()}, r = {R.tolist()}, mu = {MU} the step is {right.round(3).tolist()}",
    )


def _check_small(step) -> str:
    kernel = np.linalg.solve(J @ J.T + MU * np.eye(2), R)
    return compare(
        step(J, R, MU),
        -J.T @ kernel,
        {
            "The sign: the step goes against J^T (..).": J.T @ kernel,
            "This has one entry for each residual: go to the parameters with J^T.": -kernel,
            "The same, but with the other sign, and still in residuals: multiply by -J^T.": kernel,
            "The damping is missing.": -J.T @ np.linalg.solve(J @ J.T, R),
        },
        f"The step is the same as in exercise 1, {_step().round(3).tolist()}",
    )


damped_step = Exercise(
    "a Levenberg-Marquardt step",
    (
        "Solve a linear system with J^T J + mu I; its right side is minus J^T r.",
        "np.eye(J.shape[1]) is the identity for as many parameters.",
        "np.linalg.solve(J.T @ J + mu * np.eye(J.shape[1]), -J.T @ r)",
    ),
    _check_step,
    "Small mu is Gauss-Newton, large mu a short step down the gradient.",
)

damped_step_in_residuals = Exercise(
    "the same step with the smaller matrix",
    (
        "Use (J^T J + mu I)^-1 J^T = J^T (J J^T + mu I)^-1: multiply out to see that it holds.",
        "First solve with J J^T + mu I and the right side r, then multiply by -J^T.",
        "-J.T @ np.linalg.solve(J @ J.T + mu * np.eye(len(r)), r)",
    ),
    _check_small,
    "J J^T is the tangent kernel of notebook 04: the same step, seen from the residuals.",
)
