"""Exercises of notebook 15: causal weights, growing waves, edges of windows, a growth rate."""

from __future__ import annotations

import numpy as np

from pinnkit.exercises._exercise import Exercise, compare

LOSSES, TOLERANCE = np.array([0.5, 1.0, 0.25, 4.0]), 2.0
B, C = 100 / 16**2, 100 / 16**4
T = np.linspace(0, 1, 41)
FIT = (0.25, 0.75)


def _check_weights(weights) -> str:
    sums = np.cumsum(LOSSES)
    right = np.exp(-TOLERANCE * (sums - LOSSES))
    return compare(
        weights(LOSSES, TOLERANCE),
        right,
        {
            "A chunk's own loss must not count: only those of earlier chunks, so that the first "
            "weight is 1.": np.exp(-TOLERANCE * sums),
            "The tolerance is missing.": np.exp(-(sums - LOSSES)),
            "Each weight takes the loss of one chunk only: sum over all that are earlier.": np.exp(
                -TOLERANCE * np.append(0, LOSSES[:-1])
            ),
            "The sign: weights fall where earlier losses are large.": 1 / right,
            "These are the exponents: take the exponential.": -TOLERANCE * (sums - LOSSES),
            "You summed over the later chunks: time runs from the first to the last.": np.exp(
                -TOLERANCE * (sums[-1] - sums)
            ),
        },
        f"For the losses {LOSSES.tolist()} and the tolerance {TOLERANCE:g} the weights are "
        f"{right.round(4).tolist()}",
        atol=1e-9,
    )


def _rate(k, b=B, c=C):
    return b * k**2 - c * k**4


def _check_wave(wave) -> str:
    real = np.sqrt(B / 2 / C)
    fault = compare(
        wave(B, C),
        (11, _rate(11)),
        {
            "Between whole numbers, at k = sqrt(b / 2c), the rate is largest, but a wave that fits "
            "into the period has a whole k.": (real, _rate(real)),
            "This wave neither grows nor decays: b k^2 = c k^4. Where is the difference largest?": (
                16,
                0,
            ),
            "Sign: u_xx of a wave is -k^2 u, u_xxxx is +k^4 u, and both terms stand on the left "
            "of the equation.": (11, -_rate(11)),
            "The order: first the wave number, then its rate.": (_rate(11), 11),
        },
        f"For the coefficients of the benchmark it is k = 11, at the rate {_rate(11):.3f}",
    )
    if fault:
        return fault
    b = 2 * 1.55**2
    return compare(
        wave(b, 1.0),
        (1, _rate(1, b, 1.0)),
        {
            f"Right for the benchmark, not for b = {b:.3f}, c = 1: the largest rate is at k = 1.55 "
            "there, but k = 2 grows more slowly than k = 1. Compare the rates themselves.": (
                2,
                _rate(2, b, 1.0),
            )
        },
        f"Right for the benchmark, not for b = {b:.3f}, c = 1: there k = 1 is the fastest, at the "
        f"rate {_rate(1, b, 1.0):.3f}",
    )


def _amplification() -> np.ndarray:
    return np.exp(6 * (1 - T**2))


def _check_edges(edges) -> str:
    amplification = _amplification()
    right = np.sqrt(np.linspace(0, 1, 4))
    linear = np.linspace(amplification[0], amplification[-1], 4)
    return compare(
        edges(T, amplification, 3),
        right,
        {
            "Equal lengths: here an early time and a late one do not amplify alike.": np.linspace(
                0, 1, 4
            ),
            "np.interp wants its abscissas rising, and the amplification falls: turn both arrays "
            "round, or take the negative logarithm.": np.interp(
                np.linspace(np.log(amplification[0]), 0, 4), np.log(amplification), T
            ),
            "You divided the amplification itself equally: factors multiply, so it is its "
            "logarithm that has to be divided.": np.interp(linear, amplification[::-1], T[::-1]),
            "The edges fall: let them rise from the first time to the last.": right[::-1],
            "The first and the last time are edges, too: three windows have four.": right[1:-1],
        },
        "For exp(6 (1 - t^2)) and 3 windows the edges are the square roots of 0, 1/3, 2/3, 1, "
        f"{right.round(3).tolist()}",
        rtol=2e-3,
    )


def _trajectories() -> tuple[np.ndarray, np.ndarray]:
    """Two that part at the rate 8 in the middle, slower before and after, with a wiggle."""
    log = -14 + 2 * T + np.where(T < 0.25, 0, np.where(T < 0.75, 6 * (T - 0.25), 3))
    log += 0.2 * np.sin(40 * T)
    x = 2 * np.pi * np.arange(16) / 16
    a = np.cos(x - T[:, None])
    return a, a + np.exp(log)[:, None] * np.sin(x)


def _check_rate(rate) -> str:
    a, b = _trajectories()
    logs = np.log(np.linalg.norm(a - b, axis=1))
    inside = (FIT[0] <= T) & (FIT[1] >= T)
    right = np.polyfit(T[inside], logs[inside], 1)[0]
    ends = np.flatnonzero(inside)[[0, -1]]
    return compare(
        rate(T, a, b, *FIT),
        right,
        {
            "You fitted all times: take those from start to end only.": np.polyfit(T, logs, 1)[0],
            "This is the rate per time in powers of ten: take np.log, not np.log10.": right
            / np.log(10),
            "Twice too large: the logarithm of the squared norm grows twice as fast as that of the "
            "norm.": 2 * right,
            "You used the first and the last time only: a wiggle there goes straight into the "
            "result. Fit a line to all of them.": np.diff(logs[ends])[0] / np.diff(T[ends])[0],
            "The sign: the difference grows.": -right,
            "This is the slope of the norm itself: fit its logarithm.": np.polyfit(
                T[inside], np.exp(logs[inside]), 1
            )[0],
        },
        f"For the test's two trajectories, from {FIT[0]} to {FIT[1]}, the rate is {right:.4f}",
    )


causal_weights = Exercise(
    "causal weights",
    (
        "The first chunk waits for nobody: its weight is 1. What must the second one wait for?",
        "np.cumsum(losses) includes each chunk's own loss: subtract it.",
        "np.exp(-tolerance * (np.cumsum(losses) - losses))",
    ),
    _check_weights,
    "A chunk begins to count when all losses before it sum to about 1 / tolerance.",
)

fastest_wave = Exercise(
    "the wave that grows fastest",
    (
        "Put u = e^(s t) cos(kx) into u_t + b u_xx + c u_xxxx = 0: the rate is s = b k^2 - c k^4.",
        "It is negative beyond sqrt(b / c): it is enough to try the whole k up to one more.",
        "k = np.arange(1, int(np.sqrt(b / c)) + 2); i = np.argmax(b * k**2 - c * k**4).",
    ),
    _check_wave,
    "Eleven in the period: near the number of crests that the solution has at t = 0.5.",
)

equal_growth_edges = Exercise(
    "windows of equal amplification",
    (
        "A window from t to t' amplifies by A(t) / A(t'). If that is the same for n windows, "
        "what is it?",
        "The n-th root of A(first) / A(last): log A falls by the same amount in each window.",
        "Read t off where log A has the values np.linspace(log A[0], log A[-1], n + 1); np.interp "
        "wants rising abscissas: np.interp(-levels, -np.log(A), t).",
    ),
    _check_edges,
    "Such edges share the growth fairly. How hard a window is to fit is another question.",
)

growth_of_difference = Exercise(
    "a growth rate from two trajectories",
    (
        "If the norm of the difference grows like exp(s t), its logarithm is a line of slope s.",
        "Select times with inside = (t >= start) & (t <= end), and norms with "
        "np.linalg.norm(a - b, axis=1).",
        "np.polyfit(t[inside], np.log(norms[inside]), 1)[0] is the slope of the line that fits "
        "best.",
    ),
    _check_rate,
    "Always say the interval with it: another one gives another rate.",
)
