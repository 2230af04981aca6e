"""The steps of the presets `gpu`, executed: milliseconds of each on the device of this machine.

    python tools/gpu_time.py                     all problems; to pinnkit/results/gpu_time.json
    python tools/gpu_time.py Wave Burgers        these only, printed
    python tools/gpu_time.py --preset test Wave  to try it out where there is no GPU
    python tools/gpu_time.py --table             what is stored

Products are as `pinnkit.fit` asks for them, in full float32; one problem is also timed with Adam,
with TensorFloat-32 and in double precision. Programs are compiled side by side, steps are timed one
program after the other, the problems of most dimensions first.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import jax

import gpu
import pinnkit
from measure import provenance
from pinnkit.problems import BENCHMARKS
from pinnkit.profiling import compiled_step
from pinnkit.solve import PRESETS

TABLE = Path(__file__).resolve().parent.parent / "pinnkit" / "results" / "gpu_time.json"
COMPARED = "KolmogorovFlow"
"""The problem whose step is timed with Adam and in other precisions, too."""
BATCH = 8
BLOCKS, STEPS = 5, 20
"""SOAP turns its bases every 10 steps: twice in each block."""


def programs(problems: list[str], preset: str) -> list[tuple[str, str, str, str]]:
    """What is timed: problem, optimizer, precision of the network and of products."""
    found = []
    for problem in problems:
        recipes = pinnkit.recipe(getattr(pinnkit.problems, problem)(), preset).by_optimizer
        for optimizer, recipe in recipes.items():
            if optimizer == "adam" and problem != COMPARED:
                continue
            dtype = recipe.network.get("dtype", "float32")
            found.append((problem, optimizer, dtype, "highest"))
            if problem == COMPARED and optimizer == "soap":
                found.append((problem, optimizer, dtype, "tensorfloat32"))
                found.append((problem, optimizer, "float64", "highest"))
    return found


def compiled(problem: str, optimizer: str, dtype: str, products: str, preset: str):
    """The step with the state before the first one, and the seconds that compilation took."""
    task = getattr(pinnkit.problems, problem)()
    recipe = pinnkit.recipe(task, preset, optimizer)
    started = time.perf_counter()
    with jax.default_matmul_precision(products):
        step, state = compiled_step(
            task,
            pinnkit.network(task, **dict(recipe.network) | {"dtype": dtype}),
            recipe.optimizers[optimizer](100_000),
            recipe.points,
            weights=recipe.weights,
            causal=recipe.causal,
            resample_every=recipe.resample_every,
        )
    return step, state, time.perf_counter() - started


def timed(step: jax.stages.Compiled, state) -> list[float]:
    """Seconds of a step, one figure for each block but the first, which warms up."""
    seconds = []
    for _ in range(BLOCKS + 1):
        jax.block_until_ready(state)
        started = time.perf_counter()
        for _ in range(STEPS):
            state, finite = step(state)
        jax.block_until_ready(state)
        seconds.append((time.perf_counter() - started) / STEPS)
    if not finite:
        raise FloatingPointError("the last step was not finite")
    return seconds[1:]


def measure(problems: list[str], preset: str) -> Iterator[dict]:
    """One row for each program, compiled in batches that are timed when all of it is ready."""
    wanted = programs(problems, preset)
    for first in range(0, len(wanted), BATCH):
        batch = wanted[first : first + BATCH]
        with ThreadPoolExecutor(BATCH) as pool:
            futures = [pool.submit(compiled, *what, preset) for what in batch]
        for what, future in zip(batch, futures, strict=True):
            if error := future.exception():
                print(f"{', '.join(what)}: {error}", file=sys.stderr)
                continue
            step, state, compile_seconds = future.result()
            seconds = timed(step, state)
            yield dict(zip(("problem", "optimizer", "dtype", "products"), what, strict=True)) | {
                "milliseconds": round(1000 * median(seconds), 3),
                "range": [round(1000 * min(seconds), 3), round(1000 * max(seconds), 3)],
                "bytes": round(step.cost_analysis().get("bytes accessed", 0)),
                "peak_bytes": gpu.peak_bytes(step.memory_analysis()),
                "compile_seconds": round(compile_seconds, 1),
            }


def table(rows: list[dict] | None = None) -> str:
    """The rows, by default those that are stored, in Markdown.

    Operations are those that `tools/gpu.py` counts: what XLA says of the program that it compiled
    for a GPU leaves out the products that a library does.
    """
    counted = {row["problem"]: row["flops"] for row in json.loads(gpu.TABLE.read_text())["rows"]}
    heads = ("Problem", "Optimizer", "Precision", "ms per step", "from", "to", "GFLOP", "TFLOP/s")
    heads += ("GB", "Peak, GB")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in json.loads(TABLE.read_text())["rows"] if rows is None else rows:
        precision = "TensorFloat-32" if row["products"] == "tensorfloat32" else row["dtype"]
        ms, flops = row["milliseconds"], counted[row["problem"]]
        cells = [row["problem"], row["optimizer"], precision, f"{ms:.1f}"]
        cells += [f"{x:.1f}" for x in row["range"]]
        known = row["optimizer"] == "soap"
        cells += [f"{flops / 1e9:.0f}", f"{flops / ms / 1e9:.1f}"] if known else ["", ""]
        cells += [f"{row['bytes'] / 1e9:.1f}", f"{row['peak_bytes'] / 1e9:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("problems", nargs="*", metavar="PROBLEM", help="all by default")
    parser.add_argument("--preset", choices=PRESETS, default="gpu")
    parser.add_argument("--table", action="store_true", help="print what is stored")
    options = parser.parse_args()
    if unknown := sorted(set(options.problems) - set(BENCHMARKS)):
        parser.error(f"unknown problem {unknown[0]!r}: expected one of {', '.join(BENCHMARKS)}")
    if options.table:
        print(table())
        return
    result = {
        "preset": options.preset,
        "command": " ".join(["python tools/gpu_time.py", *sys.argv[1:]]),
        **provenance(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "rows": [],
    }
    for row in measure(options.problems or list(reversed(BENCHMARKS)), options.preset):
        result["rows"].append(row)
        print(row, flush=True)
        if not options.problems and options.preset == "gpu":
            TABLE.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result["rows"]))


if __name__ == "__main__":
    main()
