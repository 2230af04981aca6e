"""Recipes: how a problem is trained at one budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import optax

from pinnkit.optimizers.self_scaled_broyden import self_scaled_broyden
from pinnkit.optimizers.soap import soap
from pinnkit.sampling import QuadratureSampler, ResidualSampler, UniformSampler
from pinnkit.weighting import CausalWeights

if TYPE_CHECKING:
    from pinnkit.balancing import AdaptiveWeights
    from pinnkit.problems import Problem


@dataclass(frozen=True, kw_only=True)
class Curriculum:
    """Easier values of one parameter of a problem, to be trained before its own.

    Args:
        parameter: its name, such as "reynolds".
        values: two or more in the order of difficulty; those from the problem's own value on are
            left out.
        steps: of each.

    Raises:
        ValueError: the values do not rise or fall, or steps is no positive number.
    """

    parameter: str
    values: tuple[float, ...]
    steps: int

    def __post_init__(self):
        order = sorted(set(self.values))
        if len(order) < 2 or list(self.values) not in (order, order[::-1]):
            raise ValueError(
                f"a curriculum needs two or more values that rise or fall, got {self.values}"
            )
        if not self.steps >= 1:
            raise ValueError(f"expected 1 or more steps for each value, got {self.steps!r}")

    def before(self, problem: Problem) -> list[Problem]:
        """The problems on the way to this one, which is not among them."""
        own = getattr(problem, self.parameter)
        rises = self.values[-1] > self.values[0]
        easier = [v for v in self.values if (v < own if rises else v > own)]
        return [replace(problem, **{self.parameter: value}) for value in easier]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train one problem at one budget.

    Args:
        steps: optimizer steps; with windows, those of each, or a number for each window.
        optimizers: by name, each a function from the number of steps, the largest if there are
            several, to an optax transformation; the first is the default.
        network: options of `pinnkit.network`.
        points: where residuals are evaluated.
        weights: factor of each loss term, or how they are computed during training.
        causal: optional causal weights.
        resample_every: steps that share the same points.
        windows: time windows, their number or their edges, as for `pinnkit.fit_windows`; None
            for the whole time at once.
        curriculum: easier problems to begin with, as for `pinnkit.fit_continuation`.
        alternatives: recipes for optimizers that want something else, such as another network in
            another precision: first-order ones beside second-order ones.

    Raises:
        ValueError: two of the recipes name the same optimizer; windows and a curriculum at once.
    """

    steps: int | tuple[int, ...]
    optimizers: Mapping[str, Callable[[int], optax.GradientTransformation]]
    network: Mapping[str, Any] = field(default_factory=dict)
    points: UniformSampler | ResidualSampler | QuadratureSampler = field(
        default_factory=UniformSampler
    )
    weights: Mapping[str, float] | AdaptiveWeights = field(default_factory=dict)
    causal: CausalWeights | None = None
    resample_every: int = 1
    windows: int | tuple[float, ...] | None = None
    curriculum: Curriculum | None = None
    alternatives: tuple[Recipe, ...] = ()

    def __post_init__(self):
        names = [*self.optimizers, *(n for a in self.alternatives for n in a.by_optimizer)]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(
                f"an optimizer belongs to one recipe, got several for {', '.join(repeated)}: "
                "give it another name in the alternatives"
            )
        if self.windows is not None and self.curriculum is not None:
            raise ValueError("a recipe has windows or a curriculum, got both")

    @property
    def by_optimizer(self) -> dict[str, Recipe]:
        """The recipe of each optimizer's name, this one's own first."""
        recipes = dict.fromkeys(self.optimizers, self)
        for alternative in self.alternatives:
            recipes |= alternative.by_optimizer
        return recipes


def warm_up_then_cosine(peak: float, steps: int) -> optax.Schedule:
    """Learning rate rising from 0 over the first 5 % of the steps, then a cosine to peak / 100."""
    warm_up = max(1, steps // 20)
    return optax.warmup_cosine_decay_schedule(
        0.0, peak, warm_up, max(steps, warm_up + 1), peak / 100
    )


def soap_and_adam(peak: float) -> dict[str, Callable[[int], optax.GradientTransformation]]:
    """SOAP and Adam that differ in nothing but the basis: same rate, schedule and decays.

    Args:
        peak: learning rate after the warm-up; SOAP's authors use 3e-3.
    """
    return {
        "soap": lambda steps: soap(
            warm_up_then_cosine(peak, steps), b1=0.95, b2=0.99, weight_decay=0.0
        ),
        "adam": lambda steps: optax.adam(warm_up_then_cosine(peak, steps), b1=0.95, b2=0.99),
    }


def second_order(
    steps: int | tuple[int, ...],
    *,
    points: ResidualSampler | QuadratureSampler,
    network: Mapping[str, Any],
    resample_every: int,
    weights: Mapping[str, float] | None = None,
    windows: int | tuple[float, ...] | None = None,
    curriculum: Curriculum | None = None,
) -> Recipe:
    """Self-scaled Broyden for a small network in double precision.

    Args:
        steps: of each window, or one number for each.
        network: options of `pinnkit.network`; 3 layers of 16 units where they do not say.
        points, resample_every, weights, windows, curriculum: as in `Recipe`.
    """
    return Recipe(
        steps=steps,
        optimizers={"self_scaled_broyden": lambda steps: self_scaled_broyden()},
        network={"width": 16, "depth": 3, "dtype": "float64"} | dict(network),
        points=points,
        weights=weights or {},
        resample_every=resample_every,
        windows=windows,
        curriculum=curriculum,
    )


def presets(
    weights: Mapping[str, float],
    causal: CausalWeights | None = None,
    laptop: Recipe | None = None,
    gpu: Recipe | None = None,
) -> dict[str, Recipe]:
    """The three presets of a problem.

    Args:
        weights, causal: of the first-order recipes.
        laptop: what the preset "laptop" trains by default, beside SOAP and Adam.
        gpu: what the preset "gpu" has beside them.

    "test" takes seconds and learns little; "laptop" takes minutes on two CPU cores; "gpu" has the
    network and the batch of the published runs (arXiv 2502.00604) by default.
    """
    common = {"optimizers": soap_and_adam(3e-3), "weights": weights, "causal": causal}
    first_order = Recipe(
        steps=20_000,
        network={"width": 64, "depth": 4},
        points=UniformSampler(interior=1024, condition=128),
        **common,
    )
    return {
        "test": Recipe(
            steps=300,
            network={"width": 16, "depth": 2},
            points=UniformSampler(interior=256, condition=64),
            **common,
        ),
        "laptop": replace(laptop, alternatives=(first_order,)) if laptop else first_order,
        "gpu": Recipe(
            steps=100_000,
            network={
                "kind": "PirateNet",
                "width": 256,
                "depth": 3,
                "fourier_features": 256,
                "fourier_scale": 2.0,
                "factorized": True,
            },
            points=UniformSampler(interior=8192, condition=512),
            alternatives=(gpu,) if gpu else (),
            **common,
        ),
    }
