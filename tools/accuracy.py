"""Accuracy of the preset `laptop` on the five one-dimensional problems.

    python tools/accuracy.py [PROBLEM ...] [--seeds 0 1 2] [--cores 2]
    python tools/accuracy.py --table

Trains each problem by its recipe, then SOAP and Adam for the same wall time, and writes networks
and the table accuracy.json to pinnkit/results. Rows that are there already are not trained again:
delete them to repeat them. Each run has a process of its own, so that none profits from what
another one compiled.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from statistics import median

import jax
import numpy as np
from filelock import FileLock
from flax import nnx

import pinnkit
from measure import RESULTS, commit, hardware, spread
from pinnkit import problems
from pinnkit.storage import replacing

TABLE = RESULTS / "accuracy.json"
PUBLISHED = {
    "Wave": 8.05e-6,
    "Burgers": 4.03e-5,
    "AllenCahn": 3.48e-6,
    "KortewegDeVries": 3.40e-4,
    "KuramotoSivashinsky": 3.86e-2,
}
WINNER, BASELINES = "self_scaled_broyden", ("soap", "adam")


def train(problem: str, optimizer: str, seed: int, seconds: float | None) -> dict:
    """One run by the recipe of the optimizer; its row of the table."""
    chosen = getattr(problems, problem)()
    recipe = pinnkit.recipe(chosen, "laptop", optimizer)
    steps = recipe.steps
    if seconds is not None:
        steps = steps_within(seconds, chosen, optimizer, seed)
    options = {"monitor_every": max(100, int(np.sum(steps)) // 50), "progress": False}
    started = time.perf_counter()
    run = pinnkit.solve(chosen, "laptop", optimizer=optimizer, seed=seed, steps=steps, **options)
    wall = time.perf_counter() - started
    error = run.relative_error()
    return {
        "problem": problem,
        "optimizer": optimizer,
        "seed": seed,
        "file": run.save(RESULTS / f"accuracy_{problem}_{optimizer}_{seed}").name,
        "error": error["u"],
        "reference_error": error.reference,
        "published": PUBLISHED[problem],
        "steps": run.steps,
        "seconds": round(run.seconds, 1),
        "compile_seconds": round(run.compile_seconds, 1),
        "wall_seconds": round(wall, 1),
        "precision": recipe.network.get("dtype", "float32"),
        "status": run.status,
        "cores": len(os.sched_getaffinity(0)),
        "hardware": hardware(),
        "versions": {p: pinnkit.about()[p] for p in ("python", "pinnkit", "jax", "flax", "optax")},
        "commit": commit(),
    }


def steps_within(seconds: float, problem, optimizer: str, seed: int) -> int:
    """Steps that fit into a time, so that the schedule of the learning rate ends with it."""
    trial = pinnkit.solve(
        problem,
        "laptop",
        optimizer=optimizer,
        seed=seed,
        steps=1500,
        monitor_every=500,
        progress=False,
    )
    per_step = (trial.history["seconds"][-1] - trial.history["seconds"][1]) / 1000
    return max(1000, int(seconds / per_step))


def rows() -> list[dict]:
    return json.loads(TABLE.read_text())["rows"] if TABLE.exists() else []


def add(row: dict) -> None:
    with FileLock(f"{TABLE}.lock"):
        table = {"command": "python tools/accuracy.py", "preset": "laptop", "rows": [*rows(), row]}
        with replacing(TABLE) as file:
            file.write((json.dumps(table, indent=1) + "\n").encode())


def table() -> str:
    """What is stored, in Markdown: errors as median and range over the seeds."""
    lines = [
        "| Problem | Optimizer | Parameters | Precision | Seconds | Cores | Seeds | Error | "
        "Reference | Published |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    groups = {}
    for row in rows():
        groups.setdefault((row["problem"], row["optimizer"]), []).append(row)
    order = [(p, o) for p in PUBLISHED for o in (WINNER, *BASELINES)]
    for (problem, optimizer), group in sorted(groups.items(), key=lambda g: order.index(g[0])):
        errors = [row["error"] for row in group]
        seconds = [row["seconds"] for row in group]
        run = pinnkit.load(RESULTS / group[0]["file"])
        parameters = sum(p.size for p in jax.tree.leaves(nnx.state(run.network, nnx.Param)))
        cells = (
            f"`{problem}`",
            optimizer,
            f"{parameters:,}",
            group[0]["precision"],
            f"{median(seconds):.0f}",
            "/".join(sorted({str(row["cores"]) for row in group})),
            str(len(group)),
            spread(errors) if len(errors) > 1 else f"{errors[0]:.1e}",
            f"{group[0]['reference_error']:.0e}",
            f"{group[0]['published']:.2e}",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def headline() -> str:
    """The winners alone, in Markdown."""
    lines = ["| Problem | Error | Published | Seconds | Seeds |", "|---|---|---|---|---|"]
    for problem, published in PUBLISHED.items():
        group = [r for r in rows() if (r["problem"], r["optimizer"]) == (problem, WINNER)]
        errors = spread([r["error"] for r in group])
        seconds = median(r["seconds"] for r in group)
        lines.append(f"| {problem} | {errors} | {published:.2e} | {seconds:.0f} | {len(group)} |")
    return "\n".join(lines)


def in_a_process(
    problem: str, optimizer: str, seed: int, seconds: float | None, cores: int
) -> dict:
    task = json.dumps([problem, optimizer, seed, seconds])
    chosen = ",".join(map(str, sorted(os.sched_getaffinity(0))[:cores]))
    command = [sys.executable, __file__, "--task", task]
    if hasattr(os, "sched_setaffinity"):
        command = ["taskset", "-c", chosen, *command]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{problem}, {optimizer}, seed {seed} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("problems", nargs="*", metavar="PROBLEM", default=list(PUBLISHED))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--table", action="store_true", help="print what is stored")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.table:
        print(table())
        return
    if arguments.task:
        print(json.dumps(train(*json.loads(arguments.task))))
        return
    for problem in arguments.problems:
        best = next(iter(pinnkit.recipe(getattr(problems, problem)(), "laptop").optimizers))
        for seed in arguments.seeds:
            seconds = None
            for optimizer in (best, *BASELINES):
                known = {(r["problem"], r["optimizer"], r["seed"]): r for r in rows()}
                row = known.get((problem, optimizer, seed))
                if row is None:
                    row = in_a_process(problem, optimizer, seed, seconds, arguments.cores)
                    add(row)
                    print(
                        problem,
                        optimizer,
                        seed,
                        f"{row['error']:.2e}",
                        f"{row['seconds']} s",
                        flush=True,
                    )
                if optimizer == best:
                    seconds = row["seconds"]


if __name__ == "__main__":
    main()
