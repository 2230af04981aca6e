"""Time and memory of a step of SOAP and of Gauss-Newton, by width and by points.

    python tools/cost.py            measure; the table goes to pinnkit/results/cost.json
    python tools/cost.py --quick    a few small cases, printed only

Burgers' equation, an MLP of depth 3 in double precision, points that stay fixed. Each case runs in
a process of its own, so that its peak memory is its own: what the resident set grew by, which
includes compilation, and beside it the buffers that XLA allots to the program. Compilation is not
counted in the time. A case over the cap is stopped and listed as such. Close other programs first.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

TABLE = Path(__file__).resolve().parent.parent / "pinnkit" / "results" / "cost.json"
NAMES = {"soap": "SOAP", "gauss_newton": "Gauss-Newton"}
WIDTHS = (16, 32, 64, 128, 256, 512)
POINTS = (1_000, 3_000, 10_000, 30_000, 100_000)
FIXED_WIDTH, FIXED_POINTS = 64, 3_000
CAP_SECONDS = 60
COMPILE_CAP_SECONDS = 300
STEPS = 5


def measure(optimizer: str, width: int, points: int, cap: int) -> dict:
    """Median seconds of a step, and memory; the process ends where a cap is exceeded.

    What is known once it is compiled is printed at once.
    """
    import jax
    import optax

    import pinnkit
    from pinnkit.precision import precision
    from pinnkit.terms import Loss
    from pinnkit.training_step import TrainingStep

    method = {"soap": lambda: pinnkit.soap(1e-3), "gauss_newton": pinnkit.gauss_newton}[optimizer]
    problem = pinnkit.problems.Burgers()
    with precision("float64"):
        network = pinnkit.network(problem, width=width, depth=3, hard=True, dtype="float64")
        before = peak_bytes()
        step = TrainingStep(
            Loss(problem, skip=network.hard_terms),
            network,
            optax.with_extra_args_support(method()),
            pinnkit.UniformSampler(interior=points, condition=1),
            np.dtype("float64"),
            hold=10 * STEPS,
        )
        state = step.initial_state(0)
        signal.alarm(COMPILE_CAP_SECONDS)
        started = time.perf_counter()
        advance, _ = step.compile(state)
        allotted = advance.wait().memory_analysis()
        compile_seconds = time.perf_counter() - started
        known = {
            "parameters": sum(x.size for x in jax.tree.leaves(state.params)),
            "compile_seconds": round(compile_seconds, 2),
            "buffer_bytes": allotted.temp_size_in_bytes + allotted.argument_size_in_bytes,
        }
        print(json.dumps(known), flush=True)
        signal.alarm(cap)
        seconds = []
        while len(seconds) < 1 + STEPS and (len(seconds) < 2 or sum(seconds[-1:] + seconds) < cap):
            started = time.perf_counter()
            state, finite = jax.block_until_ready(advance(state, 1))
            seconds.append(time.perf_counter() - started)
            if not finite:
                raise FloatingPointError(f"a step of {optimizer} is not finite")
        signal.alarm(0)
    counted = seconds[1:]  # the first one touches its memory for the first time
    return {
        "seconds": float(np.median(counted)),
        "steps": len(counted),
        "resident_bytes": peak_bytes() - before,
    }


def peak_bytes() -> int:
    """Largest resident set of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def in_a_process(case: dict, cap: int) -> dict:
    """`measure` in a fresh process; a case over the cap, or that fails, says so as its status."""
    command = [sys.executable, __file__, "--cap", str(cap), "--case", json.dumps(case)]
    done = subprocess.run(command, capture_output=True, text=True)
    known = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode == -signal.SIGALRM:
        what, seconds = ("steps", cap) if known else ("compiling", COMPILE_CAP_SECONDS)
        status = f"over the cap of {seconds} s for {what}"
    elif done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        status = f"failed: {reason[:200]}"
    else:
        status = "measured"
    found = case | {"status": status}
    for facts in known:
        found |= facts
    return found


def slope(x: list[float], y: list[float]) -> float | None:
    """Of the straight line through log y over log x, by least squares; None without a line."""
    if len(set(x)) < 2 or min(y) <= 0:
        return None
    return round(float(np.polyfit(np.log(x), np.log(y), 1)[0]), 2)


def slopes(rows: list[dict]) -> dict[str, float | None]:
    """Exponents of time and memory in the parameters and in the points, for each optimizer."""
    found = {}
    for optimizer in dict.fromkeys(row["optimizer"] for row in rows):
        for series, variable in (("width", "parameters"), ("points", "points")):
            measured = [
                r
                for r in rows
                if (r["optimizer"], r["series"], r["status"]) == (optimizer, series, "measured")
            ]
            for quantity in ("seconds", "resident_bytes", "buffer_bytes"):
                name = f"{optimizer}: {quantity} over {variable}"
                x, y = ([r[k] for r in measured] for k in (variable, quantity))
                found[name] = slope(x, y)
    return found


def cases(widths, points, fixed_width=FIXED_WIDTH, fixed_points=FIXED_POINTS) -> list[dict]:
    """Every width at fixed points, every number of points at fixed width, by optimizer."""
    series = [("width", w, fixed_points) for w in widths]
    series += [("points", fixed_width, n) for n in points]
    return [
        {"optimizer": optimizer, "series": name, "width": width, "points": n}
        for optimizer in NAMES
        for name, width, n in series
    ]


def table() -> str:
    """What is stored, in Markdown."""
    heads = ("Optimizer", "Width", "Parameters", "Points", "Seconds a step", "Resident, MB")
    lines = [f"| {' | '.join(heads)} | XLA's buffers, MB |", "|---" * 7 + "|"]
    for row in json.loads(TABLE.read_text())["rows"]:
        measured = row["status"] == "measured"
        cells = (
            NAMES[row["optimizer"]],
            row["width"],
            f"{row['parameters']:,}",
            f"{row['points']:,}",
            f"{row['seconds']:.2g}" if measured else row["status"],
            f"{row['resident_bytes'] / 1e6:,.0f}" if measured else "",
            f"{row['buffer_bytes'] / 1e6:,.0f}",
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a few small cases, printed only")
    parser.add_argument(
        "--cap", type=int, default=CAP_SECONDS, help="seconds of steps for each case"
    )
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        case = json.loads(options.case)
        print(json.dumps(measure(case["optimizer"], case["width"], case["points"], options.cap)))
        return
    chosen = cases((6, 12), (100,), 6, 100) if options.quick else cases(WIDTHS, POINTS)
    rows = []
    for case in chosen:
        rows.append(in_a_process(case, options.cap))
        print(rows[-1], flush=True)
    found = slopes(rows)
    for name, value in found.items():
        print(f"{name}: {'no slope' if value is None else value}")
    if options.quick:
        return
    from measure import commit, hardware, versions

    result = {
        "problem": "Burgers, viscosity 0.01/pi, MLP of depth 3",
        "command": " ".join(["python tools/cost.py", *sys.argv[1:]]),
        "cap_seconds": options.cap,
        "steps": STEPS,
        "hardware": hardware(),
        "versions": versions(),
        "commit": commit(),
        "slopes": found,
        "rows": rows,
    }
    TABLE.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
