"""What the choice of points does to the error: `python tools/points.py`.

The first window of Korteweg and de Vries' problem is trained by its recipe, but on 1,024 interior
points of several kinds, and for the same number of steps: nothing else differs. Three seeds; the
table goes to pinnkit/results/points.json.
"""

from __future__ import annotations

import argparse
import json
from statistics import median

import pinnkit
from measure import RESULTS, commit, hardware
from pinnkit.problems import KortewegDeVries
from pinnkit.results import spread
from pinnkit.storage import replacing
from pinnkit.windowed_network import InWindow

TABLE = RESULTS / "points.json"
SEEDS = (0, 1, 2)
PROBLEM = KortewegDeVries()
RECIPE = pinnkit.recipe(PROBLEM, "laptop")
INTERVAL = (0.0, 1 / RECIPE.windows)
UNIFORM = pinnkit.UniformSampler(interior=1024, condition=128)
RESIDUAL = pinnkit.ResidualSampler(interior=1024, condition=128)
QUADRATURE = RECIPE.points
HELD = 300
KINDS = {
    "uniform, held throughout": (UNIFORM, None),
    f"uniform, redrawn every {HELD} steps": (UNIFORM, HELD),
    f"by residual, redrawn every {HELD} steps": (RESIDUAL, HELD),
    f"quadrature, shifted every {HELD} steps": (QUADRATURE, HELD),
    "quadrature, held throughout": (QUADRATURE, None),
}


def row(kind: str, seed: int, steps: int) -> dict:
    points, hold = KINDS[kind]
    network = pinnkit.network(PROBLEM, seed=seed, **RECIPE.network)
    (optimizer,) = RECIPE.optimizers.values()
    run = pinnkit.fit(
        pinnkit.TimeWindow(PROBLEM, INTERVAL),
        InWindow(network, PROBLEM, INTERVAL),
        optimizer(steps),
        steps=steps,
        points=points,
        resample_every=hold or steps,
        weights=RECIPE.weights,
        seed=seed,
        monitor_every=steps // 5,
        progress=False,
    )
    return {
        "points": kind,
        "seed": seed,
        "steps": run.steps,
        "loss": float(run.history["loss"][-1]),
        "error": run.relative_error()["u"],
        "seconds": round(run.seconds, 1),
    }


def table() -> str:
    """What is stored, in Markdown: medians over the seeds, and the range of the errors."""
    rows = json.loads(TABLE.read_text())["rows"]
    lines = ["| Points | Last loss | Error |", "|---|---|---|"]
    for kind in KINDS:
        errors = [r["error"] for r in rows if r["points"] == kind]
        loss = median(r["loss"] for r in rows if r["points"] == kind)
        lines.append(f"| {kind} | {loss:.0e} | {spread(errors)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--table", action="store_true", help="print what is stored")
    arguments = parser.parse_args()
    if not arguments.table:
        result = {
            "command": f"python tools/points.py --steps {arguments.steps}",
            "hardware": hardware(),
            "commit": commit(),
            "rows": [row(kind, seed, arguments.steps) for kind in KINDS for seed in SEEDS],
        }
        with replacing(TABLE) as file:
            file.write((json.dumps(result, indent=1) + "\n").encode())
    print(table())


if __name__ == "__main__":
    main()
