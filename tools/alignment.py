"""Alignment through training, and what a fault of SOAP costs: `python tools/alignment.py WHAT`.

    claims    Adam, Muon, SOAP and Gauss-Newton on Burgers, Allen-Cahn and the cavity at Re 100
    fault     SOAP as its authors define it, and with the second moment kept only on refresh steps
    table     print what is stored

Three seeds each. The runs, with their histories, go to pinnkit/results; those that are there
already are not trained again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from statistics import median

import numpy as np
import optax

import pinnkit
from measure import RESULTS, spread
from pinnkit import problems
from pinnkit.optimizers.stale_second_moment import with_stale_second_moment
from pinnkit.recipes import warm_up_then_cosine

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
COLUMNS = ("intra", "inter", "intra/preconditioned", "inter/preconditioned")


def path(problem: str, optimizer: str, seed: int):
    return RESULTS / f"alignment_{problem}_{optimizer}_{seed}.npz"


def train(what: str) -> None:
    for seed in SEEDS:
        for problem, optimizer, run in CASES[what]:
            if not path(problem, optimizer, seed).exists():
                run(PROBLEMS[problem], seed).save(path(problem, optimizer, seed))
                print(problem, optimizer, seed, flush=True)


def table() -> None:
    """Median and range over the seeds of the error, and of scores over the second half of a run."""
    for what, cases in CASES.items():
        print(what)
        for problem, optimizer, _ in cases:
            files = [path(problem, optimizer, seed) for seed in SEEDS]
            runs = [pinnkit.load(f) for f in files if f.exists()]
            if not runs:
                continue
            errors = [max(run.relative_error().values()) for run in runs]
            cells = [spread(errors, ".1e"), f"{median(run.seconds for run in runs):.0f} s"]
            for column in COLUMNS:
                scores = [second_half(run.history, f"alignment/{column}") for run in runs]
                cells.append(f"{column} {spread(scores, '.2f')}")
            print(f"{problem:16}{optimizer:14}", " | ".join(cells))


def second_half(history, column: str) -> float:
    if column not in history:
        return float("nan")
    return float(np.nanmedian(history[column][len(history["step"]) // 2 :]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=[*CASES, "table"])
    what = parser.parse_args().what
    table() if what == "table" else train(what)


if __name__ == "__main__":
    main()
