"""Stubs fail, solutions pass, and plausible mistakes are told apart."""

import re

import numpy as np
import pytest

from pinnkit import exercises

norm = np.linalg.norm


@pytest.mark.parametrize(
    ("project", "message"),
    [
        (lambda g, o: g - min(g @ o, 0) / (o @ o) * o, ""),
        (lambda g, o: g + min(g @ o, 0) / (o @ o) * o, "added"),
        (lambda g, o: (g @ o) / (o @ o) * o, "take it away"),
        (lambda g, o: g - (g @ o) / norm(o) * o, "its square"),
        (lambda g, o: g - (g @ o) / (g @ g) * o, "its own square"),
        (lambda g, o: g, "not touched"),
        (lambda g, o: g - (g @ o) / (o @ o) * o, "Where they agree"),
        (lambda g, o: 0 * g, "but yours is"),
        (lambda g, o: None, "returns nothing"),
    ],
)
def test_project(project, message):
    said = exercises.project.problem_with(project)
    assert bool(said) == bool(message) and re.search(message, said)


def lengths(gradients):
    return {n: norm(g) for n, g in gradients.items()}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (lambda G: {n: sum(lengths(G).values()) / v for n, v in lengths(G).items()}, ""),
        (lambda G: {n: v / sum(lengths(G).values()) for n, v in lengths(G).items()}, "Upside down"),
        (lambda G: {n: 1 / v for n, v in lengths(G).items()}, "as long as asked"),
        (lambda G: {n: sum(h @ h for h in G.values()) / (g @ g) for n, g in G.items()}, "squares"),
        (
            lambda G: {n: sum(abs(h).sum() for h in G.values()) / abs(g).sum()
                       for n, g in G.items()},
            "absolute values",
        ),
        (lambda G: [1.1, 11.0], "Expected a dictionary"),
        (lambda G: dict.fromkeys(G, 1.0), "but yours is"),
    ],
)  # fmt: skip
def test_gradient_norm_weights(weights, message):
    said = exercises.gradient_norm_weights.problem_with(weights)
    assert bool(said) == bool(message) and re.search(message, said)
