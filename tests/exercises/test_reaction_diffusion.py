"""Stubs fail, solutions pass, and plausible mistakes are told apart."""

import re

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from pinnkit import exercises


def fed(F, K, R, sign=-1):
    u = (1 + sign * np.sqrt(np.maximum(0, 1 - 4 * K**2 / (F * R)))) / 2
    return u, K / (R * u)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (fed, ""),
        (lambda F, K, R: fed(F, K, R, 1), "other root"),
        (lambda F, K, R: (1, 0), "Nothing reacts"),
        (lambda F, K, R: (1 - K / F * K / R, K / R), r"R u v = K"),
        (lambda F, K, R: fed(F, K, R)[::-1], "first u, then v"),
        (lambda F, K, R: fed(50.0, K, R), "not for the benchmark's F = 40"),
        (lambda F, K, R: (0.3, 0.3), "it is u = 0.2764"),
        (lambda F, K, R: None, "returns nothing"),
    ],
)
def test_fed_state(state, message):
    said = exercises.fed_state.problem_with(state)
    assert bool(said) == bool(message) and re.search(message, said)


def tail(t, r, D, k, power=2):
    s = 1 + 100 * D * t
    return 10 * r * np.exp(k * t - 25 * r**2 / s) / s**power


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (tail, ""),
        (lambda t, r, D, k: tail(t, r, 0, k), "spreads as it grows"),
        (lambda *g: tail(*g, power=0), r"s\^-2 is missing"),
        (lambda *g: tail(*g, power=1), r"another s\^-1"),
        (lambda t, r, D, k: tail(t, r, D, 0), "growth is missing"),
        (lambda t, r, D, k: tail(t, r, D, k) / r, "factor r"),
        (lambda *g: 1.0, "but yours is 1.0"),
        (lambda *g: None, "returns nothing"),
    ],
)
def test_tail_amplitude(answer, message):
    said = exercises.tail_amplitude.problem_with(answer)
    assert bool(said) == bool(message) and re.search(message, said)


def by_solver(start, t, k, c):
    def rate(_, y):
        A = y[0] + 1j * y[1]
        change = k * A - k * (1 + 1j * c) * A * abs(A) ** 2
        return [change.real, change.imag]

    end = solve_ivp(rate, (0, t), [start.real, start.imag], rtol=1e-10, atol=1e-12).y[:, -1]
    return end[0] + 1j * end[1]


def size(start, t, k):
    return start * np.exp(k * t) / np.sqrt(1 + abs(start) ** 2 * np.expm1(2 * k * t))


def angle(start, t, k, c):
    return c * np.log1p(abs(start) ** 2 * np.expm1(2 * k * t)) / 2


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (by_solver, ""),
        (lambda a, t, k, c: size(a, t, k) * np.exp(-1j * angle(a, t, k, c)), ""),
        (lambda a, t, k, c: size(a, t, k), "phase is missing"),
        (lambda a, t, k, c: size(a, t, k) * np.exp(1j * angle(a, t, k, c)), "wrong way"),
        (lambda a, t, k, c: size(a, t, k) * np.exp(-1j * k * c * t), "integrate it"),
        (lambda a, t, k, c: a * np.exp(k * t), "without end"),
        (lambda a, t, k, c: size(a, t, k) * np.exp(-2j * angle(a, t, k, c)), "half as fast"),
        (lambda *g: 1 + 1j, "but yours is"),
        (lambda *g: None, "returns nothing|raised TypeError"),
    ],
)
def test_saturated_oscillator(answer, message):
    said = exercises.saturated_oscillator.problem_with(answer)
    assert bool(said) == bool(message) and re.search(message, said)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda e, f, u: np.sqrt(np.sum((e - f) ** 2) / np.sum(u**2)), ""),
        (lambda e, f, u: np.linalg.norm(e - u) / np.linalg.norm(u), "whole error"),
        (lambda e, f, u: np.linalg.norm(f - u) / np.linalg.norm(u), "handed on"),
        (
            lambda e, f, u: (np.linalg.norm(e - u) - np.linalg.norm(f - u)) / np.linalg.norm(u),
            "Norms do not subtract",
        ),
        (lambda e, f, u: np.linalg.norm(e - f), "Relative to what"),
        (lambda e, f, u: e - f, "Expected the shape"),
        (lambda e, f, u: None, "returns nothing"),
    ],
)
def test_added_by_window(answer, message):
    said = exercises.added_by_window.problem_with(answer)
    assert bool(said) == bool(message) and re.search(message, said)
