"""Exercises of notebook 11: steps within a time, a difference beyond the spread."""

from __future__ import annotations

from pinnkit.exercises._exercise import Exercise, compare


def _check_steps(steps) -> str:
    said = compare(
        steps(60.0, 0.7),
        8571,
        {
            "A whole number is needed: an unfinished step does not count.": 100 * 60 / 0.7,
            "Rounded up: the last step would end after the time.": 8572,
            "The trial had 100 steps: this counts trials.": 85,
            "The quotient is upside down.": int(100 * 0.7 / 60.0),
        },
        "60 s hold 8571 steps if 100 take 0.7 s",
        rtol=1e-9,
    )
    if said:
        return said
    if steps(0.001, 60.0) != 1:
        return "Where not even one step fits, return 1: a schedule of 0 steps is none."
    return ""


def _check_better(better) -> str:
    cases = (
        ([1.0, 2.0, 3.0], [4.0, 5.0], True, ""),
        ([4.0, 5.0], [1.0, 2.0], False, "Smaller errors are better: you have it the wrong way."),
        (
            [1.0, 2.0, 9.0],
            [4.0, 5.0],
            False,
            "Medians or means differ here, but the worst of A is 9 and the best of B is 4: the "
            "spreads overlap.",
        ),
        (
            [1.0, 4.5],
            [4.0, 6.0],
            False,
            "The worst of A (4.5) is not below the best of B (4): compare max with min.",
        ),
    )
    for a, b, right, message in cases:
        got = better(a, b)
        if got is None:
            return "The function returns nothing: does it end with `return`?"
        if bool(got) != right:
            return message or "A is better on every seed here: its worst is 3, the best of B is 4."
    return ""


steps_within = Exercise(
    "steps within a time",
    (
        "One step takes trial_seconds / 100.",
        "Divide the budget by that, and round down with int(..).",
        "max(1, int(100 * budget / trial_seconds))",
    ),
    _check_steps,
    "Equal time, not equal steps: a step of Gauss-Newton costs many of Adam.",
)

clearly_better = Exercise(
    "a difference that the spread does not explain",
    (
        "Which single error of A is the hardest to defend? Which of B the easiest to attack?",
        "Compare the largest of A with the smallest of B.",
        "max(errors_a) < min(errors_b)",
    ),
    _check_better,
    "A strict rule for few seeds: with three of each it happens by chance once in 20.",
)
