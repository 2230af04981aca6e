"""Exercises of notebook 12: an order of convergence, an error estimate, an honest claim."""

from __future__ import annotations

import math

import numpy as np

from pinnkit.exercises._exercise import Exercise

STEPS = np.array([50, 100, 200, 400])
ORDER = 3.0
COARSE, FINE = np.array([2.00, 4.00, 6.06]), np.array([2.00, 4.00, 6.01])


def _close(a, b) -> bool:
    return bool(np.allclose(a, b, rtol=1e-3, atol=0))


def _check_order(order) -> str:
    errors = 7.0 * STEPS**-ORDER
    got = order(STEPS, errors)
    if got is None:
        return "The function returns nothing: does it end with `return`?"
    if np.shape(got) != (len(STEPS) - 1,):
        return (
            f"From {len(STEPS)} errors there are {len(STEPS) - 1} orders, one for each pair of "
            f"neighbours, but you return shape {np.shape(got)}."
        )
    got = np.asarray(got, float)
    if _close(got, ORDER):
        if _close(order(np.array([10, 30, 90]), 10.0 ** -np.array([1, 2, 3])), math.log(10, 3)):
            return ""
        return (
            "Right for steps that double, wrong for steps that triple: divide by the logarithm "
            "of the ratio of the steps instead of log 2."
        )
    if _close(got, -ORDER):
        return "The sign is wrong: errors fall while steps grow; turn one ratio round."
    if _close(got, ORDER * math.log(2)):
        return "You took the logarithm of the errors' ratio only: divide it by that of the steps."
    if _close(got, 2**ORDER):
        return "This is the factor by which the error falls; the order is its logarithm to base 2."
    if _close(got, 1 / ORDER):
        return "The quotient is upside down: logarithm of the errors' ratio over that of the steps."
    return f"For errors 7 / steps^3 every order is 3, but your first one is {got[0]:.4f}."


def _check_estimate(estimate) -> str:
    got = estimate(COARSE, FINE, 4)
    if got is None:
        return "The function returns nothing: does it end with `return`?"
    if np.shape(got) != ():
        return f"The estimate is one number, a norm, but you return shape {np.shape(got)}."
    got = float(got)
    difference = np.linalg.norm(COARSE - FINE) / np.linalg.norm(FINE)
    if _close(got, difference / 15):
        if _close(estimate(COARSE, FINE, 1), difference):
            return ""
        return "Right for order 4, wrong for order 1: use the argument `order`."
    mistakes = {
        "This is the difference of the two solutions, about the error of the coarse one. The fine "
        "one is better: by which factor?": difference,
        "Nearly: the difference is the coarse error less the fine one, that is 2^p - 1 fine "
        "errors, not 2^p.": difference / 16,
        "You divided by the order p; the errors differ by the factor 2^p.": difference / 4,
        "This is the estimate for the coarse solution; the fine one is asked for.": difference
        * 16
        / 15,
        "Divide by the norm of the solution: a relative error is asked for.": np.linalg.norm(
            COARSE - FINE
        )
        / 15,
        "The sign is wrong: a norm is positive.": -difference / 15,
    }
    for message, value in mistakes.items():
        if _close(got, value):
            return message
    return f"For the example the answer is {difference / 15:.3e}, yours is {got:.3e}."


def _check_claim(claim) -> str:
    got = claim(3e-4, 1e-4)
    if got is None:
        return "The function returns nothing: does it end with `return`?"
    if np.shape(got) != (2,):
        return f"Return two numbers, the smallest and the largest, not shape {np.shape(got)}."
    low, high = map(float, got)
    if _close((low, high), (4e-4, 2e-4)):
        return "The order is wrong: first the smallest possible error, then the largest."
    if _close(high, 3e-4):
        return (
            "The true error may also be larger than the measured one: the reference can be wrong "
            "in the direction of the network."
        )
    if _close((low, high), (3e-4, 4e-4)):
        return "The true error may also be smaller than the measured one."
    if _close(low * high, (3e-4) ** 2) or _close(high, math.hypot(3e-4, 1e-4)):
        return "The triangle inequality adds and subtracts the errors themselves, no squares."
    if not _close((low, high), (2e-4, 4e-4)):
        return (
            f"For 3e-4 measured and 1e-4 of the reference: 2e-4 to 4e-4, not {low:g} to {high:g}."
        )
    low, high = map(float, claim(1e-5, 4e-5))
    if low < 0:
        return "Measured 1e-5, reference 4e-5: your lower bound is negative, but no error is."
    if not _close(high, 5e-5) or not _close(low, 3e-5):
        return (
            "A network that is 1e-5 away from a reference which is itself 4e-5 wrong cannot be "
            f"exact: the bounds are |1e-5 - 4e-5| = 3e-5 and 5e-5, yours {low:g} and {high:g}."
        )
    return ""


observed_order = Exercise(
    "the observed order of convergence",
    (
        "If the error is C / steps^p, what is the ratio of two neighbouring errors?",
        "It is (steps ratio)^p: take logarithms on both sides. np.log works on whole arrays, and "
        "a[1:] / a[:-1] gives the ratios of neighbours.",
        "p = log(errors[:-1] / errors[1:]) / log(steps[1:] / steps[:-1]).",
    ),
    _check_order,
    "A slope that differs from the method's order is a message: from the code or the solution.",
)

error_from_two_solutions = Exercise(
    "the error of a solution from a coarser one",
    (
        "Call the fine error e. With half the steps and order p the coarse error is 2^p e.",
        "Both are errors in the same direction, so the two solutions differ by (2^p - 1) e.",
        "norm(coarse - fine) / norm(fine) / (2**order - 1).",
    ),
    _check_estimate,
    "It needs no exact solution. It is an estimate, no bound: it holds once the order is observed.",
)

honest_claim = Exercise(
    "what a measured error says about the true one",
    (
        "The measured error is the distance from network to reference; the reference's own is its "
        "distance from the truth. How far can the network be from the truth?",
        "At most the sum of the two. And at least?",
        "abs(measured - reference), measured + reference.",
    ),
    _check_claim,
    "If the two are of one size, the interval reaches down towards zero and nothing is known but "
    "the upper end.",
)
