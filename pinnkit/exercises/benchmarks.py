"""Exercises of notebook 13: a seam, a conserved quantity, a fair ratio, what is resolved."""

from __future__ import annotations

from statistics import median

import numpy as np

from pinnkit.exercises._exercise import Exercise, compare

EXACT = np.array([[3.0, 1.0, -2.0, 3.0], [2.0, 0.5, -1.0, 2.0], [1.0, 0.0, 0.5, 1.0]])
PREDICTED = EXACT + np.array([[0.5, 0.1, 0.0, 0.5], [0.4, -0.1, 0.2, 0.4], [0.3, 0.1, 0.1, 0.3]])

X = np.linspace(-1, 1, 9)
U = np.array([1.0, 1.2, 0.7, 1.1])[:, None] * (1.5 + np.cos(np.pi * X)) + 0.1

ADAM = [
    (np.array([0.0, 10.0, 20.0, 30.0]), np.array([1.0, 0.8, 0.6, 0.1])),
    (np.array([0.0, 9.0, 18.0, 27.0]), np.array([1.0, 0.5, 0.2, 0.05])),
    (np.array([0.0, 12.0, 24.0, 36.0]), np.array([1.0, 0.9, 0.27, 0.2])),
]
SOAP = [
    (np.array([0.0, 12.0, 24.0, 36.0]), np.array([1.0, 0.1, 0.02, 0.01])),
    (np.array([0.0, 11.0, 22.0, 33.0]), np.array([1.0, 0.05, 0.01, 0.004])),
    (np.array([0.0, 10.0, 21.0, 30.0]), np.array([1.0, 0.06, 0.03, 0.016])),
]
TIME = 20.0

SOLUTION = np.array([0.0, 1.0, 0.5, 0.2, 0.01, 0.05, 1e-3, 1e-4])
ERROR = np.array([1e-3, 0.01, 0.02, 0.02, 0.02, 0.01, 5e-3, 5e-3])


def _check_seam(error) -> str:
    def relative(p, e, norm=np.linalg.norm):
        return norm(p - e) / norm(e)

    p, e = PREDICTED[:, :-1], EXACT[:, :-1]
    by_time = [relative(a, b) for a, b in zip(p, e, strict=True)]
    return compare(
        error(PREDICTED.copy(), EXACT.copy()),
        relative(p, e),
        {
            "This counts the seam twice: the last column repeats the first.": relative(
                PREDICTED, EXACT
            ),
            "This leaves the seam out altogether: drop one of its two columns, not both.": relative(
                PREDICTED[:, 1:-1], EXACT[:, 1:-1]
            ),
            "You dropped the last time: places are along the second axis, [:, :-1].": relative(
                PREDICTED[:-1], EXACT[:-1]
            ),
            "This is the mean of the errors at each time. One norm over the whole grid is asked "
            "for.": np.mean(by_time),
            "These are the errors at each time. One norm over the whole grid is asked for.": (
                by_time
            ),
            "This is the square of the error: a norm has a root.": relative(p, e) ** 2,
            "Divide by the norm of the exact solution: a relative error is asked for.": (
                np.linalg.norm(p - e)
            ),
            "This is relative to the prediction: divide by the norm of the exact solution.": (
                np.linalg.norm(p - e) / np.linalg.norm(p)
            ),
            "This is the error in the largest value, not in the root mean square.": relative(
                p, e, lambda f: np.abs(f).max()
            ),
        },
        f"For the example the error is {relative(p, e):.4f}",
        atol=0,
    )


def _check_drift(drift) -> str:
    integral = np.trapezoid(U**2, X, axis=1)
    change = integral - integral[0]
    twice, mass = np.sum(U**2, axis=1) * (X[1] - X[0]), np.trapezoid(U, X, axis=1)
    said = compare(
        drift(X.copy(), U.copy()),
        np.abs(change).max(),
        {
            "A change downwards counts, too: take absolute values before the maximum.": (
                change.max()
            ),
            "This has a sign: take the absolute value.": change.min(),
            "These are the changes at all times: return the largest.": np.abs(change),
            "This compares the last time with the first. The largest change may be between them.": (
                abs(change[-1])
            ),
            "This is the range, from the lowest value to the highest: measure from the first "
            "time.": integral.max() - integral.min(),
            "The sum counts the seam twice: use np.trapezoid, or leave out one of the two ends.": (
                np.abs(twice - twice[0]).max()
            ),
            "This is a mean over x. An integral is the mean times the length of the interval.": (
                np.abs(change).max() / 2
            ),
            "This is the mass, the integral of u: square u first.": np.abs(mass - mass[0]).max(),
            "This is relative to the first value. The change itself is asked for.": (
                np.abs(change).max() / integral[0]
            ),
        },
        f"For the example the drift is {np.abs(change).max():.4f}",
        atol=0,
    )
    if said:
        return said
    stretched = drift(3 * X, U.copy())
    if not np.isclose(stretched, 3 * np.abs(change).max()):
        return "Right for x from -1 to 1, wrong for a longer interval: use x for the spacing."
    return ""


def _until(run, time=TIME):
    return run[1][run[0] <= time][-1]


def _check_ratio(ratio) -> str:
    ratios = [_until(a) / _until(s) for a, s in zip(ADAM, SOAP, strict=True)]
    at_end = [a[1][-1] / s[1][-1] for a, s in zip(ADAM, SOAP, strict=True)]
    by_row = [a[1][2] / s[1][2] for a, s in zip(ADAM, SOAP, strict=True)]
    later = [
        a[1][np.searchsorted(a[0], TIME)] / s[1][np.searchsorted(s[0], TIME)]
        for a, s in zip(ADAM, SOAP, strict=True)
    ]
    before = [
        a[1][a[0] < TIME][-1] / s[1][s[0] < TIME][-1] for a, s in zip(ADAM, SOAP, strict=True)
    ]
    apart = median(map(_until, ADAM)) / median(map(_until, SOAP))
    right = median(ratios)
    return compare(
        ratio(list(ADAM), list(SOAP), TIME),
        right,
        {
            "This is SOAP / Adam: the ratio is upside down.": 1 / right,
            "This is the ratio of the medians. Seeds belong together: divide first, then take the "
            "median.": apart,
            "This is the mean of the ratios: one seed can carry it away.": np.mean(ratios),
            "These are the ratios of all seeds: return their median.": ratios,
            "These are the errors at the end. The runs have other lengths: look at `time`.": (
                median(at_end)
            ),
            "The same row is not the same time: a step of one costs more than of the other.": (
                median(by_row)
            ),
            "This takes the first error measured at `time` or after it; at `time` that was not "
            "known yet.": median(later),
            "An error that is measured exactly at `time` counts: <=, not <.": median(before),
        },
        f"For the example the median is {right:.4g}",
        atol=0,
    )


def _check_resolved(resolved) -> str:
    cases = (
        (
            SOLUTION,
            ERROR,
            4,
            {
                0: "At k = 0, the mean, there may be nothing to resolve: start at k = 1.",
                3: "This is the last one that is resolved: the first that is not is asked for.",
                6: "The first crossing is asked for: at k = 4 the error is larger already, though "
                "smaller again at k = 5.",
                7: "This is the last wave number of all.",
                1: "Here the error is still smaller: compare the two spectra with each other.",
            },
            "In the example the error is first as large as the solution at k = 4",
        ),
        (
            SOLUTION,
            np.minimum(ERROR, SOLUTION / 2),
            len(SOLUTION),
            {7: "Where the error is smaller everywhere, return the number of amplitudes, 8."},
            "Where the error is smaller everywhere (but at k = 0), the answer is 8",
        ),
        (
            np.array([1.0, 0.5, 0.25]),
            np.array([0.1, 0.1, 0.25]),
            2,
            {3: "Where the two are equal, nothing is known either: >=, not >."},
            "For the amplitudes 1, 0.5, 0.25 and the errors 0.1, 0.1, 0.25 the answer is 2",
        ),
    )
    for solution, error, right, mistakes, otherwise in cases:
        said = compare(
            resolved(solution.copy(), error.copy()),
            right,
            {message: value for value, message in mistakes.items()},
            otherwise,
            rtol=0,
        )
        if said:
            return said
    return ""


error_without_seam = Exercise(
    "the error with the seam counted once",
    (
        "Which column appears twice? Leave one of the two out, in both arrays.",
        "[:, :-1] is everything but the last place, at all times.",
        "np.linalg.norm of the difference over np.linalg.norm of the exact solution, both of the "
        "arrays without their last column.",
    ),
    _check_seam,
    "One column of hundreds changes little, unless the error sits at the seam.",
)

momentum_drift = Exercise(
    "the drift of a conserved quantity",
    (
        "First the integral at each time, an array with one number a time; then its largest "
        "distance from its first entry.",
        "np.trapezoid(u**2, x, axis=1) gives the integrals.",
        "np.abs(momentum - momentum[0]).max()",
    ),
    _check_drift,
    "No reference was needed. A large drift refutes a solution; a small one does not confirm it.",
)

ratio_at_equal_time = Exercise(
    "a ratio of errors at equal time",
    (
        "Write a function first that gives the error of one run at `time`.",
        "errors[seconds <= time][-1] is the last one measured until then.",
        "np.median([error_at(a) / error_at(s) for a, s in zip(adam, soap)])",
    ),
    _check_ratio,
    "Paired by seed, at equal time, a median: three decisions, and each can change the figure.",
)

resolved_up_to = Exercise(
    "the wave number up to which a network knows something",
    (
        "Where is error >= solution? That is an array of True and False, one a wave number.",
        "np.flatnonzero gives the wave numbers at which it is True; leave out 0.",
        "The smallest of them, min(..., default=len(solution)).",
    ),
    _check_resolved,
    "Beyond it the network's waves are noise, however small the total error is.",
)
