"""Alignment through training, and what a fault of SOAP costs: `python tools/alignment.py WHAT`.

    claims    Adam, Muon, SOAP and Gauss-Newton on Burgers, Allen-Cahn and the cavity at Re 100
    fault     SOAP as its authors define it, and with the second moment kept only on refresh steps
    table     print what is stored
    picture   draw docs/alignment.png

Three seeds each. The runs, with their histories, go to pinnkit/results; those that are there
already are not trained again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import optax
from scipy.stats import spearmanr

import pinnkit
from measure import RESULTS
from pinnkit import plotting, problems
from pinnkit.alignment import orthogonal_score
from pinnkit.optimizers.stale_second_moment import with_stale_second_moment
from pinnkit.recipes import warm_up_then_cosine
from pinnkit.results import spread
from pinnkit.terms import term_names

SEEDS = (0, 1, 2)
STEPS, PEAK = 10_000, 3e-3
PROBLEMS = {
    "Burgers": problems.Burgers(),
    "AllenCahn": problems.AllenCahn(),
    "LidDrivenCavity": problems.LidDrivenCavity(reynolds=100.0),
}
BETAS = {"b1": 0.95, "b2": 0.99}


def first_order(optimizer: Callable) -> Callable:
    """A run of the first-order laptop recipe with another optimizer and half the steps."""

    def train(problem, seed):
        recipe = pinnkit.recipe(problem, "laptop", "soap")
        return pinnkit.fit(
            problem,
            pinnkit.network(problem, seed=seed, **recipe.network),
            optimizer(warm_up_then_cosine(PEAK, STEPS)),
            steps=STEPS,
            points=recipe.points,
            weights=recipe.weights,
            causal=recipe.causal,
            seed=seed,
            progress=False,
        )

    return train


def gauss_newton(problem, seed):
    recipe = pinnkit.recipe(problem, "laptop", "soap")
    return pinnkit.fit(
        problem,
        pinnkit.network(problem, width=20, depth=3, dtype="float64", seed=seed),
        pinnkit.gauss_newton(),
        steps=300,
        points=pinnkit.ResidualSampler(interior=2000, condition=200),
        weights=recipe.weights,
        resample_every=5,
        monitor_every=3,
        seed=seed,
        progress=False,
    )


def soap(rate, frequency=10):
    return pinnkit.soap(rate, weight_decay=0.0, precondition_frequency=frequency, **BETAS)


CLAIMS = {
    "adam": first_order(lambda rate: optax.adam(rate, **BETAS)),
    "muon": first_order(lambda rate: optax.contrib.muon(rate)),
    "soap": first_order(soap),
    "gauss_newton": gauss_newton,
}
FAULT = {
    "soap_f2": first_order(lambda rate: soap(rate, 2)),
    "stale_f2": first_order(lambda rate: with_stale_second_moment(soap(rate, 2), 2)),
    "stale_f10": first_order(lambda rate: with_stale_second_moment(soap(rate), 10)),
}
CASES = {
    "claims": [(p, o, CLAIMS[o]) for p in PROBLEMS for o in CLAIMS],
    "fault": [(p, o, FAULT[o]) for p in ("Burgers", "AllenCahn") for o in FAULT],
}
SCORES = ("intra", "inter", "intra/preconditioned", "inter/preconditioned", "conflict")
"""Alignment before and after preconditioning, see `pinnkit.alignment`. "conflict" is the mean over
pairs of terms of the normalized interference: 1 where they are opposite in the metric of P."""


def path(problem: str, optimizer: str, seed: int):
    return RESULTS / f"alignment_{problem}_{optimizer}_{seed}.npz"


def train(what: str) -> None:
    for seed in SEEDS:
        for problem, optimizer, run in CASES[what]:
            if not path(problem, optimizer, seed).exists():
                run(PROBLEMS[problem], seed).save(path(problem, optimizer, seed))
                print(problem, optimizer, seed, flush=True)


@cache
def stored(problem: str, optimizer: str) -> list[pinnkit.Run]:
    files = [path(problem, optimizer, seed) for seed in SEEDS]
    return [pinnkit.load(file) for file in files if file.exists()]


@cache
def errors(problem: str, optimizer: str) -> list[float]:
    """Of the worst field, for each stored run."""
    return [max(run.relative_error().values()) for run in stored(problem, optimizer)]


def table(what: str) -> str:
    """Median over the seeds, with the range, in Markdown; scores over the second half of a run."""
    lines = [
        f"| Problem | Optimizer | Error | {' | '.join(SCORES)} |",
        "|---" * (3 + len(SCORES)) + "|",
    ]
    for problem, optimizer, _ in CASES[what]:
        if runs := stored(problem, optimizer):
            cells = [f"`{problem}`", optimizer]
            cells.append(spread(errors(problem, optimizer)))
            cells += [spread([late(run, kind) for run in runs], ".2f") for kind in SCORES]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def correlations() -> str:
    """Rank correlation, over optimizers and seeds, of the error with each score, in Markdown."""
    lines = [f"| Problem | Runs | {' | '.join(SCORES)} |", "|---" * (2 + len(SCORES)) + "|"]
    for problem in PROBLEMS:
        runs = [run for optimizer in CLAIMS for run in stored(problem, optimizer)]
        error = [e for optimizer in CLAIMS for e in errors(problem, optimizer)]
        found = [spearmanr([late(run, kind) for run in runs], error).statistic for kind in SCORES]
        cells = [f"`{problem}`", f"{len(runs)}", *(f"{c:.1f}" for c in found)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def late(run: pinnkit.Run, kind: str) -> float:
    """Median of a score over the second half of a run."""
    values = score(run, kind)
    return float(np.nanmedian(values[len(values) // 2 :]))


def score(run: pinnkit.Run, kind: str) -> np.ndarray:
    """One of SCORES at each row of the history."""
    if kind != "conflict":
        return np.asarray(run.history[f"alignment/{kind}"])
    names = terms(run)
    matrix = [[run.history[f"interference/{j}/{k}"] for k in names] for j in names]
    normalized = np.asarray(pinnkit.normalized_interference(np.moveaxis(np.array(matrix), -1, 0)))
    pairs = normalized[:, ~np.eye(len(names), dtype=bool)]
    return np.ma.masked_invalid(pairs).mean(axis=1).filled(np.nan)


def terms(run: pinnkit.Run) -> list[str]:
    return list(term_names(run.problem, getattr(run.network, "hard_terms", ())))


def picture() -> None:
    """Scores through training: medians over the seeds, and their range."""
    kinds = {"intra": "intra-step", "inter": "inter-step", "conflict": "conflict"}
    with plotting.style():
        figure, axes = plt.subplots(3, 3, figsize=(11, 8), sharex=True, sharey="row")
        for column, problem in enumerate(PROBLEMS):
            for i, optimizer in enumerate(CLAIMS):
                look = {"color": plotting.COLORS[i], "ls": plotting.DASHES[i]}
                runs = stored(problem, optimizer)
                for ax, kind in zip(axes[:, column], kinds, strict=True):
                    curves = [plotting.running_mean(score(run, kind), 9) for run in runs]
                    share = np.linspace(0, 1, len(curves[0]))
                    low, high = np.nanmin(curves, axis=0), np.nanmax(curves, axis=0)
                    ax.fill_between(share, low, high, color=look["color"], alpha=0.2, lw=0)
                    ax.plot(share, np.nanmedian(curves, axis=0), label=optimizer, **look)
            n = len(terms(runs[0]))
            for ax, unrelated in zip(axes[:, column], (orthogonal_score(n), 0, 0), strict=True):
                ax.axhline(unrelated, color="0.4", lw=1, ls=":")
            axes[0, column].set_title(f"{problem}: {n} terms")
            axes[2, column].set_xlabel("share of training")
        for ax, label in zip(axes[:, 0], kinds.values(), strict=True):
            ax.set_ylabel(label)
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        figure.savefig(RESULTS.parents[1] / "docs" / "alignment.png", dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=[*CASES, "table", "picture"])
    what = parser.parse_args().what
    if what == "table":
        print("\n\n".join([table("claims"), correlations(), table("fault")]))
    elif what == "picture":
        picture()
    else:
        train(what)


if __name__ == "__main__":
    main()
