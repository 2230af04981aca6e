"""Exercises of notebook 17: a corner's flow and its integrals, a ladder, energy in a box."""

from __future__ import annotations

import numpy as np

from pinnkit.exercises._exercise import Exercise, compare

POINT = 0.02, 0.05
INNER, OUTER = 0.01, 0.3
START, END, RATIO = 100.0, 1000.0, 2.0


def _velocity(x, y, angle) -> tuple[float, float]:
    """u to the right and v upwards at distance x from the wall and y below the lid."""
    c = 1 / (1 - np.pi**2 / 4)
    b, d = 1 - c, c * np.pi / 2
    line, square = c * x + d * y, x**2 + y**2
    return b + d * angle + line * x / square, c * angle - line * y / square


def _check_corner(flow) -> str:
    x, y = POINT
    angle = np.arctan2(y, x)
    u, v = _velocity(x, y, angle)
    c = 1 / (1 - np.pi**2 / 4)
    return compare(
        flow(x, y),
        (u, v),
        {
            "v has the wrong sign: y is a depth and grows downwards, so v = +s_x.": (u, -v),
            "The order: first u, then v.": (v, u),
            "The angle depends on x and y, too: its slopes are -y / r^2 and x / r^2.": (
                1 - c + c * np.pi / 2 * angle,
                c * angle,
            ),
            "The angle is 0 on the lid: atan2(y, x), not atan2(x, y).": _velocity(
                x, y, np.pi / 2 - angle
            ),
            "So the fluid moves like the lid everywhere: the wall is at rest.": (1, 0),
            "This has the right form, but it slips along the wall: there u and v are both 0.": (
                1.0 - angle * 2 / np.pi - 2 / np.pi * x * y / (x**2 + y**2),
                2 / np.pi * y**2 / (x**2 + y**2),
            ),
        },
        f"At x = {x:g}, y = {y:g} it is u = {u:.4f}, v = {v:.4f}",
    )


def _check_square(integral) -> str:
    right = np.pi / 4 * (INNER**-2 - OUTER**-2)
    fault = compare(
        integral(2, INNER, OUTER),
        right,
        {
            "The area element is r dr dtheta: a factor r is missing.": np.pi
            / 6
            * (INNER**-3 - OUTER**-3),
            "This is the integral of r^-p, and it is the square that the loss has.": np.pi
            / 2
            * np.log(OUTER / INNER),
            "A corner is a quarter of a circle: pi / 2, not 2 pi.": 4 * right,
            "The angle is missing: it runs from 0 to pi / 2.": 2 / np.pi * right,
            "The ends are the wrong way round.": -right,
        },
        f"For p = 2 from {INNER:g} to {OUTER:g} it is {right:.1f}",
    )
    if fault:
        return fault
    logarithm = np.pi / 2 * np.log(OUTER / INNER)
    return compare(
        integral(1, INNER, OUTER),
        logarithm,
        {},
        f"Right for p = 2. For p = 1 the integral is a logarithm, {logarithm:.4f}",
    )


def _ladder(start, end, steps) -> np.ndarray:
    return start * (end / start) ** (np.arange(steps + 1) / steps)


def _check_ladder(ladder) -> str:
    right = _ladder(START, END, 4)
    doubled = np.append(START * RATIO ** np.arange(4), END)
    fault = compare(
        ladder(START, END, RATIO),
        right,
        {
            "The last ratio is smaller than the others: spread the way evenly.": doubled,
            "These are equal differences; their first ratio is 3.25.": np.linspace(START, END, 5),
            "The ratio is 2.15: one step more is needed.": _ladder(START, END, 3),
            "Where does it begin? The first number is the start.": right[1:],
            "Where does it end? The last number is the one to be reached.": right[:-1],
            "Fewer steps would do: 4 ratios of 1.78 are below 2.": _ladder(START, END, 5),
        },
        f"From {START:g} to {END:g} it is {np.round(right, 1).tolist()}",
    )
    if fault:
        return fault
    return compare(
        ladder(100.0, 800.0, 2.0),
        _ladder(100.0, 800.0, 3),
        {
            "From 100 to 800 three ratios of exactly 2 do; rounding gave you a fourth: subtract "
            "1e-9 before you round up.": _ladder(100.0, 800.0, 4)
        },
        "Right up to 1000, not from 100 to 800: there it is 100, 200, 400, 800",
    )


def _shells(energy) -> np.ndarray:
    m, n = np.indices(energy.shape)
    k = np.hypot(m, n).astype(int)
    return np.bincount(k.ravel(), energy.ravel())[: len(energy)]


def _check_energy(spectrum) -> str:
    s = np.random.default_rng(0).normal(size=(6, 6))
    m, n = np.indices(s.shape)
    s[0], s[:, 0] = 0, 0
    energy = np.pi**2 * (m**2 + n**2) * s**2 / 8
    right = _shells(energy)
    k = np.rint(np.hypot(m, n)).astype(int)
    nearest = np.bincount(k.ravel(), energy.ravel())[: len(s)]
    return compare(
        spectrum(s),
        right,
        {
            "This is the square of the stream function: velocities are its slopes.": _shells(s**2),
            "The mean of sin^2 and of cos^2 is 1/2 each: together a factor of 1/4.": 4 * right,
            "One of the two means of 1/2 is missing: there is one in x and one in y.": 2 * right,
            "The energy is half the square of the velocity; here or in the means a factor of 2 "
            "is too much.": right / 2,
            "The slope of sin(m pi x) has the factor m pi: where is pi?": right / np.pi**2,
            "This is the energy of u alone.": _shells(np.pi**2 * n**2 * s**2 / 8),
            "This is the energy of v alone.": _shells(np.pi**2 * m**2 * s**2 / 8),
            "Shell k begins at k: round down, not to the nearest.": nearest,
        },
        f"For the test's waves it is {np.round(right, 2).tolist()}",
    )


corner_flow = Exercise(
    "the flow in a corner",
    (
        "u = s_y and v = s_x; the angle has the slopes -y / r^2 along x and x / r^2 along y.",
        "On the lid the angle is 0 and y = 0: u = b + c = 1. On the wall it is pi / 2 and x = 0: "
        "v = c pi / 2 - d = 0 and u = b + d pi / 2 = 0.",
        "c = 1 / (1 - pi^2 / 4), b = 1 - c, d = c pi / 2; with line = c x + d y the velocity is "
        "u = b + d angle + line x / r^2, v = c angle - line y / r^2.",
    ),
    _check_corner,
    "It depends on the angle alone: however near you look, the picture stays the same.",
)

square_near_corner = Exercise(
    "what a singular residual costs",
    (
        "In polar coordinates the area element is r dr dtheta.",
        "The angle gives pi / 2; what remains is the integral of r^(1 - 2 p).",
        "For p = 1 it is log(outer / inner), else (outer^(2 - 2 p) - inner^(2 - 2 p)) / (2 - 2 p).",
    ),
    _check_square,
    "A tenth of the inner radius: a hundred times as much for p = 2, one summand for p = 1.",
)

reynolds_ladder = Exercise(
    "Reynolds numbers on the way",
    (
        "n equal ratios that multiply to end / start: each is (end / start)^(1 / n).",
        "The smallest whole n with (end / start)^(1 / n) <= ratio: take logarithms, round up.",
        "n = ceil(log(end / start) / log(ratio) - 1e-9), then start * (end / start) ** "
        "(np.arange(n + 1) / n).",
    ),
    _check_ladder,
    "The reference goes this way, too: a ladder of ratios of at most 2.",
)

energy_of_waves = Exercise(
    "energy of a stream function",
    (
        "u = s_y has the factor n pi and a cosine along y, v = -s_x the factor m pi.",
        "Over the box sin^2 cos^2 has the mean 1/4, and products of different waves have the "
        "mean 0: the energies add up.",
        "np.pi**2 * (m**2 + n**2) * s**2 / 8, summed by np.bincount over "
        "np.hypot(m, n).astype(int), up to the length of s.",
    ),
    _check_energy,
    "The factor k^2 is why a spectrum of velocities shows small errors that one of s hides.",
)
