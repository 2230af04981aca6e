"""Ablations: what one change of a recipe does at equal wall time; rows for tools/results.py.

    python tools/results.py 'ablation-*' --jobs 2

All start from one recipe, `base`: SOAP, a tanh network of 3 layers of 32 units in float32, 1,024
fresh points per step, causal weights, the initial condition as a loss term of weight 100. A variant
changes one thing, and gets the same 25 seconds of training on one core.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import optax

import pinnkit
from pinnkit.problems import Problem
from pinnkit.recipes import Recipe, warm_up_then_cosine

PEAK, BETAS = 3e-3, {"b1": 0.95, "b2": 0.99}
NETWORK = {"width": 32, "depth": 3}
SECONDS = 25.0


def base(problem: Problem) -> Recipe:
    """The first-order recipe of the preset "laptop" with a smaller network."""
    recipe = pinnkit.recipe(problem, "laptop", "soap")
    return replace(recipe, network=NETWORK, alternatives=())


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One change of the recipe.

    Args:
        change: from a problem to its recipe.
        optimizer: which one of that recipe.
        trial: steps that measure how many fit into the time.
    """

    change: Callable[[Problem], Recipe] = base
    optimizer: str = "soap"
    trial: int = 900
    cases: tuple[str, ...] = ("Burgers", "AllenCahn")
    seconds: float = SECONDS

    def recipe(self, problem: Problem) -> Recipe:
        return self.change(problem)


def changed(**settings) -> Variant:
    """The base recipe with other settings."""
    return Variant(change=lambda problem: replace(base(problem), **settings))


def with_network(**options) -> Variant:
    """The base recipe with other options of the network."""
    return changed(network=NETWORK | options)


def with_optimizer(name: str, make: Callable) -> Variant:
    """The base recipe with another optimizer, made from a schedule of the learning rate."""

    def change(problem):
        return replace(
            base(problem),
            optimizers={name: lambda steps: make(warm_up_then_cosine(PEAK, steps))},
        )

    return Variant(change=change, optimizer=name)


def soap(frequency: int) -> Callable:
    return lambda rate: pinnkit.soap(
        rate, weight_decay=0.0, precondition_frequency=frequency, **BETAS
    )


def held_points(name: str, optimizer: Callable, trial: int, resample_every: int) -> Variant:
    """A second-order method in double precision, on points that it keeps for some steps."""

    def change(problem):
        return Recipe(
            steps=1000,
            optimizers={name: lambda steps: optimizer()},
            network=NETWORK | {"width": 16, "dtype": "float64"},
            points=pinnkit.ResidualSampler(interior=1024, condition=128),
            weights=base(problem).weights,
            resample_every=resample_every,
        )

    return Variant(change=change, optimizer=name, trial=trial)


QUESTIONS: dict[str, dict[str, Variant]] = {
    "optimizer": {
        "adam": with_optimizer("adam", lambda rate: optax.adam(rate, **BETAS)),
        "muon": with_optimizer("muon", lambda rate: optax.contrib.muon(rate)),
        "soap": Variant(),
        "gauss_newton": held_points("gauss_newton", pinnkit.gauss_newton, 60, 5),
        "self_scaled_broyden": held_points(
            "self_scaled_broyden", pinnkit.self_scaled_broyden, 600, 500
        ),
    },
    "loss balancing": {
        "all weights 1": changed(weights={}),
        "initial weighted 100": Variant(),
        "gradient norms": changed(weights=pinnkit.GradientNormWeights()),
        "tangent kernel": changed(weights=pinnkit.TangentKernelWeights()),
    },
    "causal weights": {"with": Variant(), "without": changed(causal=None)},
    "initial condition": {
        "soft": Variant(),
        "hard": changed(network=NETWORK | {"hard": True}, weights={}),
    },
    "embedding": {
        "1 harmonic": Variant(),
        "4 harmonics": with_network(harmonics=4),
        "64 Fourier features, scale 1": with_network(fourier_features=64, fourier_scale=1.0),
        "64 Fourier features, scale 3": with_network(fourier_features=64, fourier_scale=3.0),
    },
    "architecture": {
        "MLP": Variant(),
        "modified MLP": with_network(kind="ModifiedMLP"),
        "PirateNet, 1 block": with_network(kind="PirateNet", depth=1),
        "PirateNet, 2 blocks": with_network(kind="PirateNet", depth=2),
    },
    "precision": {"float32": Variant(), "float64": with_network(dtype="float64")},
    "refresh of the basis every": {
        "1": with_optimizer("soap_f1", soap(1)),
        "2": with_optimizer("soap_f2", soap(2)),
        "10": Variant(),
        "50": with_optimizer("soap_f50", soap(50)),
    },
    "points per step": {
        "256": changed(points=pinnkit.UniformSampler(interior=256, condition=32)),
        "1,024": Variant(),
        "4,096": changed(points=pinnkit.UniformSampler(interior=4096, condition=512)),
    },
}
"""By question and choice; the base recipe is one of the choices of each."""


def variant_name(question: str, choice: str) -> str:
    """As it stands in the name of a row."""
    if QUESTIONS[question][choice] == Variant():
        return "base"
    return f"{question}={choice}".replace(" ", "_").replace(",", "")


VARIANTS = {
    variant_name(question, choice): variant
    for question, choices in QUESTIONS.items()
    for choice, variant in choices.items()
}
