"""Exercises of notebook 18: an exact flow, its slope in time, an unseen drift, a bound."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pinnkit.exercises._exercise import Exercise, compare

REYNOLDS, TIME, SHEAR, CELLS = 200.0, 0.5, 3.0, 2.0
DECAY, DRIVE = 16 * np.pi**2 / REYNOLDS, 8 * np.pi


def _check_cells(amplitudes) -> str:
    kept = np.exp(-DECAY * TIME)
    driven = DRIVE / DECAY * (1 - kept)
    right = SHEAR * kept - driven, CELLS * kept
    return compare(
        amplitudes(SHEAR, CELLS, REYNOLDS, TIME),
        right,
        {
            "The force is missing: A' = -r A - 8 pi.": (SHEAR * kept, CELLS * kept),
            "The sign of the force: its curl is -8 pi cos(4 pi y).": (
                SHEAR * kept + driven,
                CELLS * kept,
            ),
            "The force is a function of y alone and drives only A.": (
                right[0],
                CELLS * kept - driven,
            ),
            "The force acts all the time, and what it makes decays, too: 8 pi t is too much.": (
                SHEAR * kept - DRIVE * TIME,
                CELLS * kept,
            ),
            "Viscosity is missing: each of the waves decays at the rate 16 pi^2 / Re.": (
                SHEAR - DRIVE * TIME,
                CELLS,
            ),
            "The rate: the Laplacian of cos(4 pi y) is -(4 pi)^2 times it.": _slow_cells(),
        },
        f"For A(0) = {SHEAR:g}, B(0) = {CELLS:g}, Re = {REYNOLDS:g} and t = {TIME:g} it is "
        f"A = {right[0]:.4f}, B = {right[1]:.4f}",
        rtol=1e-5,
    )


def _slow_cells() -> tuple[float, float]:
    """With 4 pi in the place of its square."""
    rate = 4 * np.pi / REYNOLDS
    kept = np.exp(-rate * TIME)
    return SHEAR * kept - DRIVE / rate * (1 - kept), CELLS * kept


def _flow(n: int = 24) -> dict[str, np.ndarray]:
    """A shear and an oblique wave on n x n points: u, v, w and derivatives of w by name."""
    x, y = np.meshgrid(np.arange(n) / n, np.arange(n) / n, indexing="ij")
    a, b, k = 4 * np.pi * y, 2 * np.pi * (x - 2 * y), 2 * np.pi
    shear, wave = -9.0, 6.0  # w = shear cos a + wave cos b
    stream = -wave * np.sin(b) / (5 * k**2)  # the wave's stream function over cos b, derived
    return {
        "u": -shear * np.sin(a) / (2 * k) - 2 * k * stream,
        "v": -k * stream,
        "w": shear * np.cos(a) + wave * np.cos(b),
        "w_x": -k * wave * np.sin(b),
        "w_y": -2 * k * shear * np.sin(a) + 2 * k * wave * np.sin(b),
        "lap": -((2 * k) ** 2) * shear * np.cos(a) - 5 * k**2 * wave * np.cos(b),
        "curl": -4 * k * np.cos(a),
    }


PROBES = [2, 7, 12, 19], [5, 16, 3, 20]


def _check_slope(slope) -> str:
    f = _flow()
    got = slope(f["w"].copy(), REYNOLDS)
    if got is None:
        return compare(None, f["w"], {}, "")
    if np.shape(got) != f["w"].shape:
        return f"Expected the shape {f['w'].shape}, one value a point, got {np.shape(got)}."
    carried, viscous, curl = f["u"] * f["w_x"] + f["v"] * f["w_y"], f["lap"] / REYNOLDS, f["curl"]
    right = -carried + viscous + curl
    if np.allclose(got, right, rtol=0, atol=1e-6 * np.abs(right).max()):
        return ""
    mistakes = {
        "The sign of the transport: what comes from upstream is -(u w_x + v w_y).": (
            carried + viscous + curl
        ),
        "The flow carries its vorticity along: -(u w_x + v w_y) is missing.": viscous + curl,
        "The force is missing: -8 pi cos(4 pi y).": -carried + viscous,
        "The sign of the force: its curl is -8 pi cos(4 pi y).": -carried + viscous - curl,
        "The last axis is y: you let the force depend on x.": -carried + viscous + curl.T,
        "The curl of 2 sin(4 pi y) along x is -8 pi cos(4 pi y): you have another amplitude.": (
            -carried + viscous + curl / 2
        ),
        "Viscosity is missing: lap w / Re.": -carried + curl,
        "The viscosity is 1 / Re.": -carried + f["lap"] + curl,
        "The sign of viscosity: the Laplacian of a wave is -|k|^2 times it.": (
            -carried - viscous + curl
        ),
        "Waves have 2 pi k, not k, in their derivatives: the period is 1.": (
            -carried + viscous / (4 * np.pi**2) + curl
        ),
    }
    off = np.linalg.norm(got - right) / np.linalg.norm(right)
    where = np.asarray(got)[PROBES]
    for message, value in mistakes.items():
        if np.allclose(where, value[PROBES], rtol=1e-3, atol=1e-6):
            return message
    if off < 0.3:
        return (
            f"Nearly: you are {off:.0%} off, as finite differences are on so few points. The FFT "
            "differentiates waves exactly."
        )
    return compare(
        where,
        right[PROBES],
        {},
        f"At four points of the test's flow it is {np.round(right[PROBES], 2).tolist()}",
    )


def _still(t, x, y):
    """(u, v, w) of the exact flow of exercise 1, at one point."""
    kept = np.exp(-DECAY * t)
    shear, cells = SHEAR * kept - DRIVE / DECAY * (1 - kept), CELLS * kept
    k = 4 * np.pi
    return np.array(
        [
            -shear / k * np.sin(k * y),
            cells / k * np.sin(k * x),
            shear * np.cos(k * y) + cells * np.cos(k * x),
        ]
    )


def _check_drift(drifting) -> str:
    moved = drifting(_still, lambda t: 0.3 * t**2, lambda t: 0.6 * t)
    if not isinstance(moved, Callable):
        return "Return a function of (t, x, y): the drifting flow."
    t, x, y = 0.5, 0.13, 0.41
    shift, speed = 0.3 * t**2, 0.6 * t
    along = np.array([1.0, 0.0, 0.0])
    right = _still(t, x - shift, y) + speed * along
    return compare(
        moved(t, x, y),
        right,
        {
            "Nothing drifts yet: this is the flow itself.": _still(t, x, y),
            "The pattern moves, but the fluid does not move with it: add the speed to u.": (
                _still(t, x - shift, y)
            ),
            "The mean is right, but the pattern stays where it was: shift x.": (
                _still(t, x, y) + speed * along
            ),
            "What is at x at the time t was at x - X(t): you shift the other way.": (
                _still(t, x + shift, y) + speed * along
            ),
            "The velocity gets the speed X'(t), not the shift X(t).": (
                _still(t, x - shift, y) + shift * along
            ),
            "Only u gets the speed: v and w are those of the flow.": (
                _still(t, x - shift, y) + speed
            ),
        },
        f"At t = {t:g}, x = {x:g}, y = {y:g} the test's flow is {np.round(right, 4).tolist()}",
        rtol=1e-6,
    )


def _check_bound(bound) -> str:
    start, reynolds, t = 1.5, 100.0, 2.0

    def integrated(rate, force=2**0.5):
        return start * np.exp(-rate * t) + force / rate * (1 - np.exp(-rate * t))

    right = integrated(4 * np.pi**2 / reynolds)
    return compare(
        bound(start, reynolds, t),
        right,
        {
            "That is a bound, but viscosity takes at least 4 pi^2 U^2 / Re: use it.": (
                start + np.sqrt(2) * t
            ),
            "That is a bound, but not the best: 2 is the largest force, its root mean square is "
            "sqrt(2).": integrated(4 * np.pi**2 / reynolds, 2.0),
            "The longest wave has 2 pi in its derivative: <w^2> is at least (2 pi)^2 U^2.": (
                integrated(1 / reynolds)
            ),
            "(2 pi)^2, not 2 pi: the mean square of the vorticity has two derivatives.": (
                integrated(2 * np.pi / reynolds)
            ),
            "The longest wave in the square has one period, not the two of the force.": (
                integrated(16 * np.pi**2 / reynolds)
            ),
            "The energy is U^2 / 2, so its rate is U U': divide by U once more.": (
                integrated(8 * np.pi**2 / reynolds, 2 * np.sqrt(2))
            ),
            "This is the bound for t to infinity.": np.sqrt(2) * reynolds / (4 * np.pi**2),
        },
        f"For U(0) = {start:g}, Re = {reynolds:g} and t = {t:g} it is {right:.4f}",
        rtol=1e-5,
    )


exact_cells = Exercise(
    "a flow that is known",
    (
        "Both waves have the same Laplacian: lap w = -16 pi^2 w. So the stream function is "
        "w / (16 pi^2), a multiple of w.",
        "Then u w_x + v w_y = 0: what is carried along streamlines is constant on them. Left are "
        "A' = -r A - 8 pi and B' = -r B with r = 16 pi^2 / Re.",
        "k = exp(-r t): A = A0 k - 8 pi / r (1 - k), B = B0 k.",
    ),
    _check_cells,
    "Rows and columns of eddies that do not disturb each other: a test for every residual.",
)

first_slope = Exercise(
    "the first slope",
    (
        "The equation says what w_t is, if you have u, v and the derivatives of w: all of them "
        "follow from w.",
        "u, v = velocity(w). For the derivatives multiply np.fft.fft2(w) by 2j pi k, with k from "
        "np.fft.fftfreq(n, 1 / n), along x as a column, along y as a row.",
        "-(u * w_x + v * w_y) + lap / reynolds - 8 * np.pi * np.cos(4 * np.pi * y), where "
        "lap is the inverse transform of -(4 pi^2) (k^2 + l^2) times that of w.",
    ),
    _check_slope,
    "So w(0) + t w_t(0) is known, too, and could be built in; a network would learn what bends.",
)

unseen_drift = Exercise(
    "a drift that no residual sees",
    (
        "Sit on a train: what is at x for you is at x + X(t) on the ground.",
        "The pattern moves: x becomes x - X(t) in all three fields. The fluid moves with it.",
        "lambda t, x, y: flow(t, x - X(t), y) + np.array([speed(t), 0, 0]).",
    ),
    _check_drift,
    "It begins like the flow, obeys all three equations, and is another flow.",
)

speed_bound = Exercise(
    "how fast the flow can get",
    (
        "Start from the energy's budget, with U^2 = <u^2 + v^2>: U U' = 2 <u sin(4 pi y)> - "
        "<w^2> / Re.",
        "Cauchy and Schwarz: the first term is at most U times the root mean square of the force, "
        "sqrt(2). Without a mean, every wave has |k| >= 2 pi, so <w^2> >= (2 pi)^2 U^2.",
        "U' <= sqrt(2) - r U with r = 4 pi^2 / Re. With the equality it is solved by "
        "U(0) exp(-r t) + sqrt(2) / r (1 - exp(-r t)).",
    ),
    _check_bound,
    "A network that is faster is wrong, and no reference is needed to say so.",
)
