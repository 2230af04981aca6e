"""Stubs fail, solutions pass, and plausible mistakes are told apart."""

import re

import numpy as np
import pytest

from pinnkit import exercises

solve, eye = np.linalg.solve, np.eye


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda J, r, mu: solve(J.T @ J + mu * eye(4), -J.T @ r), ""),
        (lambda J, r, mu: solve(J.T @ J + mu * eye(4), J.T @ r), "sign"),
        (lambda J, r, mu: -np.linalg.pinv(J.T @ J) @ J.T @ r, "damping is missing"),
        (lambda J, r, mu: -np.linalg.pinv(J.T @ J + mu) @ J.T @ r, "every entry"),
        (lambda J, r, mu: -(J.T @ J + mu * eye(4)) @ J.T @ r, "instead of solving"),
        (lambda J, r, mu: -J.T @ r / mu, "gradient step"),
        (lambda J, r, mu: solve(J.T @ J + mu**2 * eye(4), -J.T @ r), "squared"),
        (lambda J, r, mu: np.zeros(4), "but yours is"),
    ],
)
def test_damped_step(step, message):
    said = exercises.damped_step.problem_with(step)
    assert bool(said) == bool(message) and re.search(message, said)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda J, r, mu: -J.T @ solve(J @ J.T + mu * eye(2), r), ""),
        (lambda J, r, mu: J.T @ solve(J @ J.T + mu * eye(2), r), "sign"),
        (lambda J, r, mu: -solve(J @ J.T + mu * eye(2), r), "one entry for each residual"),
        (lambda J, r, mu: solve(J @ J.T + mu * eye(2), r), "still in residuals"),
        (lambda J, r, mu: -J.T @ solve(J @ J.T, r), "damping is missing"),
        (lambda J, r, mu: np.zeros(4), "but yours is"),
    ],
)
def test_damped_step_in_residuals(step, message):
    said = exercises.damped_step_in_residuals.problem_with(step)
    assert bool(said) == bool(message) and re.search(message, said)
