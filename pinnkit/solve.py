"""Presets: a problem with a recipe that is known to train it."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import optax

from pinnkit.continuation import fit_continuation
from pinnkit.fit import fit
from pinnkit.hosts import SharedErrors
from pinnkit.networks import network as build_network
from pinnkit.problems import Problem
from pinnkit.recipes import Recipe
from pinnkit.run import Run
from pinnkit.windows import fit_windows

PRESETS = ("test", "laptop", "gpu")


def preset_from_environment(default: str = "laptop") -> str:
    """The preset named by the environment variable PINNKIT_PRESET, or the default.

    Raises:
        ValueError: it names no preset.
    """
    return _known(os.environ.get("PINNKIT_PRESET", default), PRESETS)


def recipe(
    problem: Problem, preset: str | Recipe = "laptop", optimizer: str | None = None
) -> Recipe:
    """The problem's own recipe.

    Args:
        problem: what to solve.
        preset: "test", "laptop" or "gpu"; or a recipe, which is taken as it is.
        optimizer: one of the names in the recipe or its alternatives; by default the first.

    Raises:
        TypeError: the preset is no recipe.
        ValueError: the problem has no such preset, or none at all; unknown optimizer.
    """
    if not isinstance(preset, Recipe) and not problem.presets:
        raise ValueError(
            f"{type(problem).__name__} has no presets: train it with pinnkit.fit(problem, "
            "pinnkit.network(problem), pinnkit.soap(3e-3), steps=2000), or define `presets`, "
            "recipes by name"
        )
    chosen = (
        preset if isinstance(preset, Recipe) else problem.presets[_known(preset, problem.presets)]
    )
    if not isinstance(chosen, Recipe):
        raise TypeError(
            f"the preset {preset!r} must be a pinnkit.recipes.Recipe, got {type(chosen).__name__}"
        )
    if optimizer is None:
        return chosen
    return chosen.by_optimizer[_known(optimizer, chosen.by_optimizer, "optimizer")]


def solve(
    problem: Problem,
    preset: str | Recipe = "laptop",
    *,
    optimizer: str | optax.GradientTransformation | None = None,
    steps: int | Sequence[int] | None = None,
    seed: int = 0,
    **fit_options,
) -> Run:
    """Train a network on a problem by the recipe of a preset.

    Args:
        problem: what to solve.
        preset: "test" (seconds), "laptop" (minutes on a CPU) or "gpu" (the published setting); or
            a recipe of your own, such as `dataclasses.replace(pinnkit.recipe(problem), steps=500)`.
        optimizer: a name in the recipe or its alternatives, which is then trained by the one that
            names it, or any optax transformation, trained by the recipe itself; by default the
            first name.
        steps: instead of the recipe's; if it has windows, those of each, or a number for each
            window; if it has a curriculum, those of the problem itself. Learning-rate schedules are
            stretched to the largest.
        seed: of the initial weights and of the collocation points.
        fit_options: handed to `pinnkit.fit`, such as checkpoint, monitor_every or time_limit.

    Raises:
        ValueError: unknown preset or optimizer.
    """
    with SharedErrors():
        chosen = recipe(problem, preset, optimizer if isinstance(optimizer, str) else None)
    steps = chosen.steps if steps is None else steps
    if optimizer is None:
        optimizer = next(iter(chosen.optimizers))
    if isinstance(optimizer, str):
        optimizer = chosen.optimizers[optimizer](max(steps) if np.ndim(steps) else steps)
    settings = {
        "points": chosen.points,
        "weights": chosen.weights,
        "causal": chosen.causal,
        "resample_every": chosen.resample_every,
    }
    settings |= {"seed": seed} | fit_options
    if chosen.curriculum is not None:
        easier = chosen.curriculum.before(problem)
        return fit_continuation(
            [*easier, problem],
            lambda problem: build_network(problem, seed=seed, **chosen.network),
            optimizer,
            steps=[chosen.curriculum.steps] * len(easier) + [steps],
            **settings,
        )
    train = fit
    if chosen.windows is not None:
        train, settings["windows"] = fit_windows, chosen.windows
    return train(
        problem,
        build_network(problem, seed=seed, **chosen.network),
        optimizer,
        steps=steps,
        **settings,
    )


def _known(name: str, known, what: str = "preset") -> str:
    if name not in known:
        raise ValueError(f"unknown {what} {name!r}: expected one of: {', '.join(known)}")
    return name
