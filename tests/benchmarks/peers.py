"""pinnkit against DeepXDE, PINA and jinns, on one machine in one run: `make bench`.

Every library is installed in an environment of its own under .bench/ and runs in a process of its
own (`run_*.py`), which reports one JSON object a line. What is compared, and how, is said in
docs/benchmarks_against_peers.md; the figures go to pinnkit/results/peers.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = ROOT / ".bench"
RESULT = ROOT / "pinnkit" / "results" / "peers.json"
TARGET = 1e-3
SOLVED = 0.1
"""Relative L2 error above which a recipe is said not to have solved the problem."""
GRACE = 300.0
"""Seconds that a process may take beyond its training: import, compilation, reports."""


@dataclass(frozen=True)
class Peer:
    """One library on one backend.

    Args:
        name: in the tables.
        script: beside this file.
        recipes: what the script calls its ways to an accurate solution.
        environment: name of its requirements file; None for the Python that runs this.
        variables: environment variables of its process.
    """

    name: str
    script: str
    recipes: tuple[str, ...]
    environment: str | None = None
    variables: dict[str, str] = field(default_factory=dict)


PEERS = (
    Peer("pinnkit", "run_pinnkit.py", ("self_scaled_broyden", "soap")),
    Peer("jinns", "run_jinns.py", ("natural_gradient", "natural_gradient_more_points"), "jinns"),
    Peer(
        "DeepXDE, JAX",
        "run_deepxde.py",
        ("adam_then_lbfgs",),
        "deepxde_jax",
        {"DDE_BACKEND": "jax"},
    ),
    Peer(
        "DeepXDE, torch",
        "run_deepxde.py",
        ("adam_then_lbfgs",),
        "deepxde_torch",
        {"DDE_BACKEND": "pytorch"},
    ),
    Peer("PINA", "run_pina.py", ("adam_then_lbfgs",), "pina"),
)


class Unusable(Exception):
    """A library cannot be installed, or its process failed."""


def install(peer: Peer) -> Path:
    """The Python of the peer's environment, which is made if its requirements are new.

    Raises:
        Unusable: pip could not install them.
    """
    if peer.environment is None:
        return Path(sys.executable)
    requirements = HERE / "requirements" / f"{peer.environment}.txt"
    folder = CACHE / peer.environment
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    if stamp.exists() and stamp.read_text() == requirements.read_text():
        return python
    print(f"installing {peer.name}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    for command in (
        [sys.executable, "-m", "venv", folder],
        [python, "-m", "pip", "install", "--quiet", "--requirement", requirements],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise Unusable(f"cannot be installed: {last_line(done.stderr)}")
    shutil.copy(requirements, stamp)
    return python


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no message"


def events(peer: Peer, python: Path, arguments: Sequence[str], limit: float) -> Iterator[dict]:
    """What the peer's process reports, line by line; closing this generator ends the process.

    Raises:
        Unusable: it failed, or took longer than `limit` seconds.
    """
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "XLA_"))}
    variables |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "", "PYTHONNOUSERSITE": "1"}
    with tempfile.TemporaryFile("w+") as log, tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [python, HERE / peer.script, *arguments],
            cwd=folder,
            env=variables | peer.variables,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        timer = threading.Timer(limit, process.kill)
        timer.start()
        last = ""
        try:
            for line in process.stdout:
                fact = json.loads(line)
                last = fact["event"]
                yield fact
            if process.wait() or last != "done":
                log.seek(0)
                said = "took too long" if process.returncode == -9 else last_line(log.read())
                raise Unusable(f"failed after {last or 'no'} report: {said}")
        finally:
            timer.cancel()
            process.kill()
            process.wait()


def relative_l2(values: np.ndarray, truth: np.ndarray) -> float:
    """||values - truth|| / ||truth||; infinite where a value is not finite."""
    error = float(np.linalg.norm(values - truth) / np.linalg.norm(truth))
    return error if np.isfinite(error) else float("inf")


def measure_speed(peer: Peer, python: Path, steps: int) -> dict:
    """One process: import, first step, steps per second with Adam."""
    facts = {e["event"]: e for e in events(peer, python, ["speed", f"--steps={steps}"], 2 * GRACE)}
    from tests.benchmarks import task

    if facts["first step"]["parameters"] != task.PARAMETERS:
        raise Unusable(f"another network: {facts['first step']['parameters']} parameters")
    return {
        "import": facts["loaded"]["seconds"],
        "first_step": facts["first step"]["seconds"],
        "compilation": facts["first step"]["compilation"],
        "steps_per_second": facts["speed"]["steps_per_second"],
        "loss": facts["speed"].get("loss"),
        "versions": facts["loaded"]["versions"],
        "threads": facts["speed"].get("threads"),
        "cores": facts["loaded"]["cores"],
    }


def follow_recipe(
    peer: Peer, python: Path, recipe: str, grid: np.ndarray, truth: np.ndarray, options
) -> dict:
    """One process: error over time until the target, the cap or the end of the recipe."""
    history, reached = [], None
    with tempfile.TemporaryDirectory() as folder:
        grid_file = Path(folder) / "grid.npy"
        np.save(grid_file, grid)
        arguments = [recipe, f"--grid={grid_file}", f"--folder={folder}", f"--cap={options.cap}"]
        arguments += ["--quick", "--every=0"] if options.quick else []
        for fact in events(peer, python, arguments, 3 * options.cap + GRACE):
            if fact["event"] == "values":
                error = relative_l2(np.load(fact["file"]), truth)
                history.append([fact["step"], round(fact["seconds"], 3), error])
                if error < TARGET:
                    reached = round(fact["seconds"], 3)
                    break
    if not history:
        raise Unusable("handed over no values")
    best = min(error for *_, error in history)
    return {
        "peer": peer.name,
        "recipe": recipe,
        "seconds_to_target": reached,
        "best_error": best,
        "solved": best < SOLVED,
        "history": history,
    }


def summary(rows: Sequence[dict]) -> dict:
    """Medians of repeated speed measurements, with all the values they come from."""
    numbers = ("steps_per_second", "first_step", "compilation", "import")
    return {
        name: {"median": statistics.median(values), "all": [round(v, 4) for v in values]}
        for name in numbers
        if None not in (values := [row[name] for row in rows])
    } | {key: rows[0][key] for key in ("versions", "threads", "cores")}


def ratios(speed: dict[str, dict], of: str = "pinnkit") -> dict[str, float]:
    """Steps per second of `of` over those of every other peer, repeat by repeat: medians."""
    ours = speed[of]["steps_per_second"]["all"]
    return {
        name: statistics.median(
            a / b for a, b in zip(ours, figures["steps_per_second"]["all"], strict=True)
        )
        for name, figures in speed.items()
        if name != of
    }


def table(result: dict) -> str:
    """The figures as text."""
    heads = ("steps/s", "first step, s", "compilation, s", "ours over it")
    lines = [f"{'Adam, same task':28}" + "".join(f"{head:>16}" for head in heads)]
    for name, figures in result["speed"].items():
        medians = [
            figures.get(key, {}).get("median")
            for key in ("steps_per_second", "first_step", "compilation")
        ]
        numbers = [*medians, result["ratios"].get(name)]
        lines.append(f"{name:28}" + "".join(f"{n:16.2f}" if n else " " * 16 for n in numbers))
    heads = (f"s to {TARGET:g}", "best error", "ended after, s")
    lines += ["", f"{'Own best recipe':44}" + "".join(f"{head:>16}" for head in heads)]
    for row in result["recipes"]:
        seconds = row["seconds_to_target"]
        lines.append(
            f"{row['peer'] + ': ' + row['recipe']:44}"
            f"{'never' if seconds is None else f'{seconds:.1f}':>16}"
            f"{row['best_error']:16.1e}{row['history'][-1][1]:16.1f}"
        )
    lines += [f"{name}: {why}" for name, why in result["unusable"].items()]
    return "\n".join(lines)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=300, help="of each measurement of speed")
    parser.add_argument("--cap", type=float, default=480.0, help="seconds of training of a recipe")
    parser.add_argument("--only", nargs="+", metavar="PEER", help="names as in the table")
    parser.add_argument("--skip", choices=["speed", "recipes"], help="leave one half out")
    parser.add_argument("--quick", action="store_true", help="few steps")
    options = parser.parse_args(arguments)
    if options.quick:
        options.repeats, options.steps, options.cap = 1, 5, 30.0
    known = [peer.name for peer in PEERS]
    if unknown := set(options.only or known) - set(known):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; expected some of {known}")
    return options


def main() -> None:
    options = parse()
    sys.path[:0] = [str(ROOT), str(ROOT / "tools")]
    import measure
    import pinnkit
    from tests.benchmarks import task

    started, load = time.perf_counter(), os.getloadavg()[0]
    pythons, unusable = {}, {}
    for peer in PEERS:
        if options.only is None or peer.name in options.only:
            try:
                pythons[peer.name] = install(peer)
            except Unusable as why:
                unusable[peer.name] = str(why)

    peers = [peer for peer in PEERS if peer.name in pythons]
    rows: dict[str, list[dict]] = {peer.name: [] for peer in peers}
    for repeat in range(0 if options.skip == "speed" else options.repeats):
        for peer in peers if repeat % 2 == 0 else peers[::-1]:
            if peer.name not in unusable:
                try:
                    rows[peer.name].append(measure_speed(peer, pythons[peer.name], options.steps))
                    print(f"repeat {repeat + 1}: {peer.name} {rows[peer.name][-1]}", flush=True)
                except Unusable as why:
                    unusable[peer.name] = str(why)
    speed = {n: summary(r) for n, r in rows.items() if r and n not in unusable}

    reference = pinnkit.problems.Burgers(viscosity=task.VISCOSITY).reference()
    grid = np.stack(np.meshgrid(*reference.axes.values(), indexing="ij"), -1).reshape(-1, 2)
    truth = reference.values["u"].ravel()
    recipes = []
    for peer in peers:
        for recipe in () if options.skip == "recipes" else peer.recipes:
            try:
                recipes.append(
                    follow_recipe(peer, pythons[peer.name], recipe, grid, truth, options)
                )
                print({k: v for k, v in recipes[-1].items() if k != "history"}, flush=True)
            except Unusable as why:
                unusable[f"{peer.name}, {recipe}"] = str(why)

    result = {
        "task": "Burgers, viscosity 0.01/pi, u = 0 at the walls; "
        f"MLP {task.DEPTH} x {task.WIDTH} tanh, {task.INTERIOR} + {task.INITIAL} + "
        f"{task.BOUNDARY} points, Adam {task.RATE:g}, float32",
        "target": TARGET,
        "command": "make bench",
        "options": {name: getattr(options, name) for name in ("repeats", "steps", "cap")},
        "hardware": measure.hardware(),
        "threads": {v: os.environ.get(v, "default") for v in ("OMP_NUM_THREADS", "XLA_FLAGS")},
        "load_before": round(load, 2),
        "commit": measure.commit(),
        "minutes": round((time.perf_counter() - started) / 60, 1),
        "speed": speed,
        "ratios": ratios(speed) if "pinnkit" in speed else {},
        "recipes": recipes,
        "unusable": unusable,
    }
    print("\n" + table(result))
    if not (options.quick or options.only or options.skip):
        RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
