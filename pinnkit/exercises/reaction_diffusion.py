"""Exercises of notebook 14: a fed state, a tail that grows, saturation, a window's own share."""

from __future__ import annotations

import numpy as np

from pinnkit.exercises._exercise import Exercise, compare

FEED, KILL, REACTION = 50.0, 100.0, 1000.0
TIME, RADIUS, DIFFUSION, GROWTH, ROTATION = 0.6, 0.7, 0.004, 10.0, 1.5
START = 0.3 + 0.4j


def _check_state(state) -> str:
    root = np.sqrt(1 - 4 * KILL**2 / (FEED * REACTION))
    high, low = (1 + root) / 2, (1 - root) / 2
    fault = compare(
        state(FEED, KILL, REACTION),
        (low, KILL / (REACTION * low)),
        {
            "This is a steady state, but the other root: it has the smaller v, and is unstable.": (
                high,
                KILL / (REACTION * high),
            ),
            "Nothing reacts in this one: v is 0. Divide the second equation by v first.": (1, 0),
            "Your u satisfies the first equation with v = K / R: the second says R u v = K.": (
                1 - KILL / FEED * KILL / REACTION,
                KILL / REACTION,
            ),
            "The order: first u, then v.": (KILL / (REACTION * low), low),
        },
        f"For F = {FEED:g}, K = {KILL:g} and R = {REACTION:g} it is u = {low:.4f}, "
        f"v = {KILL / (REACTION * low):.4f}",
    )
    if fault:
        return fault
    return compare(
        state(40.0, KILL, REACTION),
        (0.5, 0.2),
        {},
        "Right for F = 50, not for the benchmark's F = 40: there u = 1/2, v = 1/5",
        atol=1e-6,
    )


def _check_tail(tail) -> str:
    given = TIME, RADIUS, DIFFUSION, GROWTH
    spread = 1 + 100 * DIFFUSION * TIME
    grown = 10 * RADIUS * np.exp(GROWTH * TIME)
    right = grown * np.exp(-25 * RADIUS**2 / spread) / spread**2
    return compare(
        tail(*given),
        right,
        {
            "It spreads as it grows: the Gaussian's 25 becomes 25 / s, with a factor s^-2.": grown
            * np.exp(-25 * RADIUS**2),
            "The Gaussian gets wider, but what is in it is shared by more room: s^-2 is missing.": (
                right * spread**2
            ),
            "A Gaussian alone in two dimensions takes s^-1; here it is multiplied by x or y, whose "
            "first moment takes another s^-1.": right * spread,
            "The growth is missing: the factor exp(k t).": right / np.exp(GROWTH * TIME),
            "The factor r is missing: |y + i x| = r.": right / RADIUS,
        },
        f"For t = {TIME:g}, r = {RADIUS:g}, D = {DIFFUSION:g} and k = {GROWTH:g} it is {right:.4f}",
        rtol=1e-6,
    )


def _check_saturation(saturated) -> str:
    grown = 1 + abs(START) ** 2 * np.expm1(2 * GROWTH * TIME)
    phase = ROTATION * np.log(grown) / 2
    size = np.exp(GROWTH * TIME) / np.sqrt(grown)
    right = START * size * np.exp(-1j * phase)

    def pair(z):
        return np.real(z), np.imag(z)

    return compare(
        pair(saturated(START, TIME, GROWTH, ROTATION)),
        pair(right),
        {
            "The size is right, the phase is missing: it turns by -k c |A|^2 per unit of time.": (
                pair(START * size)
            ),
            "The size is right, it turns the wrong way: the rate is -k c |A|^2.": pair(
                START * size * np.exp(1j * phase)
            ),
            "It turns at the rate k c |A|^2, which is smaller at first: integrate it.": pair(
                START * size * np.exp(-1j * GROWTH * ROTATION * TIME)
            ),
            "This grows without end: where does |A| A come in?": pair(
                START * np.exp(GROWTH * TIME)
            ),
            "The phase turns half as fast: the integral of k |A|^2 is log(S) / 2.": pair(
                START * size * np.exp(-2j * phase)
            ),
        },
        f"From A(0) = {START} with k = {GROWTH:g} and c = {ROTATION:g} at t = {TIME:g}: "
        f"{right:.4f}",
        rtol=1e-5,
    )


def _states() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a window ends with, what the solver makes of its start, and the truth."""
    x = 2 * np.pi * np.arange(32) / 32
    truth = 2 + np.sin(x)
    followed = truth + 0.05 * np.cos(2 * x)
    return followed + 0.02 * np.sin(3 * x), followed, truth


def _check_added(added) -> str:
    ended, followed, truth = _states()
    norm = np.linalg.norm
    right = norm(ended - followed) / norm(truth)
    whole, handed = norm(ended - truth) / norm(truth), norm(followed - truth) / norm(truth)
    return compare(
        added(ended, followed, truth),
        right,
        {
            "This is the whole error at the end, what was handed on included.": whole,
            "This is what was handed on: the solver's error from the window's own start.": handed,
            "Norms do not subtract: take the difference of the states, then its norm.": (
                whole - handed
            ),
            "Relative to what? Divide by the norm of the truth.": norm(ended - followed),
        },
        f"For the test's states it is {right:.4f}",
    )


fed_state = Exercise(
    "the state in which the autocatalyst lives",
    (
        "In a steady state without gradients both right-hand sides are 0. If v is not 0, divide "
        "the second one by v.",
        "R u v = K; put R u v^2 = K v into the first one: F (1 - u) = K v = K^2 / (R u).",
        "u (1 - u) = K^2 / (F R), so u = (1 -+ sqrt(1 - 4 K^2 / (F R))) / 2; the smaller u has "
        "the larger v = K / (R u).",
    ),
    _check_state,
    "With the benchmark's F = 40 both roots are one, u = 1/2: the state is about to vanish.",
)

tail_amplitude = Exercise(
    "how large a tail is",
    (
        "Two things happen to it: it grows by exp(k t), and it spreads.",
        "exp(-25 z^2) becomes exp(-25 z^2 / s) / sqrt(s) with s = 1 + 100 D t, and z exp(-25 z^2) "
        "becomes z exp(-25 z^2 / s) / s^(3/2).",
        "10 * r * np.exp(k * t - 25 * r**2 / s) / s**2.",
    ),
    _check_tail,
    "From 3e-5 at t = 0 to 0.09 here: an error of 1e-3 at the start would be far larger than it.",
)

saturated_oscillator = Exercise(
    "growth that ends",
    (
        "For the square n = |A|^2 the equation says n' = 2 k n (1 - n): solve it first.",
        "n = n0 e^(2kt) / S with S = 1 + n0 (e^(2kt) - 1).",
        "The phase turns at -k c n, and the integral of k n is log(S) / 2: multiply "
        "A0 e^(kt) / sqrt(S) by exp(-i c log(S) / 2).",
    ),
    _check_saturation,
    "In the recipe this is half of the factor; the other half is the tail of exercise 2.",
)

added_by_window = Exercise(
    "what a window adds",
    (
        "The solver from the window's own start ends where a perfect window would have ended.",
        "So what the window itself got wrong is the difference of those two states.",
        "np.linalg.norm(ended - followed) / np.linalg.norm(truth).",
    ),
    _check_added,
    "Errors of many windows add up like this, each amplified by what comes after it.",
)
