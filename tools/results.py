"""Results that last: train any row of the tables, or all that are missing.

    python tools/results.py                                 what is stored and what is missing
    python tools/results.py Burgers-laptop-soap-0           train one row
    python tools/results.py 'Burgers-*' 'ablation-*' --jobs 2
    python tools/results.py Burgers-laptop-soap-0 --out runs    train again, compare, keep both
    python tools/results.py KolmogorovFlow-gpu-soap-0 --preset gpu --steps 5000

A row is one training run; its name says problem, preset, optimizer and seed. Rows that are stored
are skipped, unless --replace. Each run has a process and cores of its own, and checkpoints under
`.results`: after Ctrl-C, a kill or a full disk the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import fnmatch
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import jax
from flax import nnx

import pinnkit
from ablations import VARIANTS
from measure import ROOT, commit, provenance
from pinnkit import problems, results
from pinnkit.recipes import Recipe
from pinnkit.solve import PRESETS

UNFINISHED = ROOT / ".results"
ONE, THREE = (0,), (0, 1, 2)
FIRST_ORDER = ("soap", "adam")
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
CASES = {
    "Wave": (THREE, 100),
    "Burgers": (THREE, 210),
    "AllenCahn": (THREE, 550),
    "KortewegDeVries": (THREE, 470),
    "KuramotoSivashinsky": (THREE, 300),
    "GrayScott": (ONE, 240),
    "GinzburgLandau": (ONE, 240),
    "LidDrivenCavity(reynolds=100)": (ONE, 240),
    "LidDrivenCavity(reynolds=400)": (ONE, 240),
    "LidDrivenCavity(reynolds=1000)": (ONE, 240),
    "LidDrivenCavity(reynolds=3200)": (ONE, 240),
    "LidDrivenCavity(reynolds=5000)": (ONE, 240),
    "KolmogorovFlow": (ONE, 240),
    "RayleighTaylor": (ONE, 240),
}
"""Seeds, and the seconds that SOAP and Adam get: about those of the problem's own optimizer in one
dimension, four to five minutes in two and where neither gets anywhere without windows."""


@dataclass(frozen=True)
class Task:
    """What is to be trained: a problem, one of its recipes or a variant of it, and a seed."""

    case: str
    optimizer: str
    seed: int
    variant: str = ""
    preset: str = "laptop"

    @property
    def name(self) -> str:
        parts = [self.case.replace("(", "-").rstrip(")"), self.preset, self.optimizer, self.seed]
        if self.variant:
            parts = ["ablation", parts[0], self.variant, self.seed]
        return "-".join(map(str, parts))

    @property
    def problem(self) -> problems.Problem:
        return _problem(self.case)

    @property
    def recipe(self) -> Recipe:
        if self.variant:
            return VARIANTS[self.variant].recipe(self.problem)
        return pinnkit.recipe(self.problem, self.preset, self.optimizer)

    @property
    def seconds(self) -> float | None:
        """The time to be filled; None where the recipe's number of steps decides."""
        if self.variant:
            return VARIANTS[self.variant].seconds
        filled = self.preset == "laptop" and self.optimizer in FIRST_ORDER
        return CASES[self.case][1] if filled else None


def _problem(case: str) -> problems.Problem:
    name, physics = _parsed(case)
    return getattr(problems, name)(**physics)


def _parsed(case: str) -> tuple[str, dict[str, float]]:
    """The inverse of `pinnkit.results.case`."""
    problem, _, physics = case.rstrip(")").partition("(")
    pairs = (pair.partition("=") for pair in physics.split(", ") if pair)
    return problem, {name: float(value) for name, _, value in pairs}


def catalogue(preset: str = "laptop") -> dict[str, Task]:
    """Every row there can be, by name: the table's first, then at "laptop" the ablations'."""
    tasks = []
    for case, (seeds, _) in CASES.items():
        for optimizer in pinnkit.recipe(_problem(case), preset).by_optimizer:
            tasks += [Task(case, optimizer, seed, preset=preset) for seed in seeds]
    if preset != "laptop":
        return {task.name: task for task in tasks}
    # seed by seed: the later ones take over the steps that the first was measured to have time for
    for seed in THREE:
        for name, variant in VARIANTS.items():
            tasks += [Task(c, variant.optimizer, seed, name) for c in variant.cases]
    return {task.name: task for task in tasks}


def train(
    task: Task, folder: Path, steps: int | None = None, time_limit: float = math.inf
) -> results.Row:
    """One run, from its checkpoint if there is one; its files are written to the folder."""
    unfinished = UNFINISHED / task.name
    recipe = task.recipe
    if steps is None and task.seconds is not None:
        steps = _steps_within(task, recipe, unfinished)
    total = sum(recipe.steps) if isinstance(recipe.steps, tuple) else steps or recipe.steps
    run = pinnkit.solve(
        task.problem,
        recipe,
        optimizer=task.optimizer,
        seed=task.seed,
        steps=steps,
        monitor_every=max(100, total // 50),
        checkpoint=unfinished / "checkpoint",
        checkpoint_every=max(1000, total // 10),
        time_limit=time_limit,
        progress=False,
    )
    if "completed" not in run.status and "time limit" not in run.status:
        raise SystemExit(f"{task.name}: {run.status}")
    errors = run.relative_error()
    problem, physics = _parsed(task.case)
    row = results.Row(
        name=task.name,
        problem=problem,
        physics=physics,
        preset=task.preset,
        optimizer=task.optimizer,
        variant=task.variant,
        seed=task.seed,
        errors=dict(errors),
        reference_error=errors.reference,
        n_parameters=sum(p.size for p in jax.tree.leaves(nnx.state(run.network, nnx.Param))),
        precision=recipe.network.get("dtype", "float32"),
        steps=run.steps,
        seconds=round(run.seconds, 1),
        compile_seconds=round(run.compile_seconds, 1),
        status=run.status,
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        **provenance(),
    )
    run.save(folder / row.name)
    row.write(folder)
    shutil.rmtree(unfinished, ignore_errors=True)
    return row


def _steps_within(task: Task, recipe: Recipe, unfinished: Path) -> int:
    """Steps that fit into the task's time, so that the schedule of the rate ends with it.

    Measured once and kept: a run that goes on later has the same schedule.
    """
    kept = unfinished / "steps.json"
    if not kept.exists():
        trial = pinnkit.solve(
            task.problem,
            recipe,
            optimizer=task.optimizer,
            seed=task.seed,
            steps=(few := VARIANTS[task.variant].trial if task.variant else 1500),
            monitor_every=few // 3,
            progress=False,
        )
        per_step = (trial.history["seconds"][-1] - trial.history["seconds"][1]) / (2 * (few // 3))
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(max(few // 3, int(task.seconds / per_step))))
    return json.loads(kept.read_text())


@dataclass
class Sweep:
    """Several rows, each in a process with cores of its own; a failed one does not stop others."""

    names: list[str]
    preset: str
    folder: Path
    jobs: int
    cores: list[int]
    options: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    _running: set = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: bool = False

    def run(self) -> None:
        each = max(1, len(self.cores) // self.jobs)
        free = [self.cores[i * each : (i + 1) * each] for i in range(self.jobs)]
        with ThreadPoolExecutor(self.jobs) as pool:
            futures = [pool.submit(self._one, name, free) for name in self.names]
            try:
                for future in futures:
                    future.result()
            except KeyboardInterrupt:
                self.stop()
                raise

    def _one(self, name: str, free: list[list[int]]) -> None:
        with self._lock:
            if self._stopped:
                return
            cores = free.pop()
            process = self._start(name, cores)
            self._running.add(process)
        _, errors = process.communicate()
        with self._lock:
            self._running.discard(process)
            free.append(cores)
        if self._stopped:
            return
        if process.returncode:
            self.failed.append(name)
            reason = [line for line in errors.splitlines() if line.strip()] or ["no message"]
            print(f"{name}: failed: {reason[-1]}", flush=True)
        else:
            row = results.read(name, self.folder)
            print(f"{name}: error {row.error:.2e} in {row.seconds:.0f} s", flush=True)

    def _start(self, name: str, cores: list[int]) -> subprocess.Popen:
        command = [sys.executable, __file__, "--task", name, "--out", str(self.folder)]
        command += ["--preset", self.preset, "--cores", *map(str, cores)]
        command += self.options
        # LAPACK's threads are counted before the child knows its cores, and two on one wait in vain
        threads = dict.fromkeys(THREADS, str(max(1, len(cores))))
        # a session of its own: Ctrl-C reaches the children only through `stop`
        return subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            start_new_session=True, env=os.environ | threads,
        )  # fmt: skip

    def stop(self) -> None:
        """Let the children save a checkpoint and end.

        An interrupt that comes while JAX runs a callback is lost, so it is repeated.
        """
        with self._lock:
            self._stopped = True
            running = list(self._running)
        while running := [process for process in running if process.poll() is None]:
            for process in running:
                process.send_signal(signal.SIGINT)
            for process in running:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=30)


def matching(patterns: list[str], known: dict[str, Task]) -> list[str]:
    """Names of rows that match; SystemExit with what is near where a pattern matches none."""
    names = []
    for pattern in patterns:
        found = fnmatch.filter(known, pattern)
        if not found:
            near = difflib.get_close_matches(pattern, known, n=3, cutoff=0.3)
            raise SystemExit(
                f"unknown row {pattern!r}: did you mean {', '.join(near) or 'one of these'}? "
                "`python tools/results.py` lists all"
            )
        names += found
    return list(dict.fromkeys(names))


def overview(known: dict[str, Task], folder: Path) -> str:
    stored = {row.name: row for row in results.rows(folder)}
    lines = [
        f"{name:58} {stored[name].error:.2e}  {stored[name].seconds:5.0f} s  {stored[name].date}"
        if name in stored
        else f"{name:58} missing"
        for name in known
    ]
    return "\n".join([*lines, f"{len(stored.keys() & known)} of {len(known)} stored"])


def compare(name: str, folder: Path) -> str:
    """A row that was trained again, beside what is stored for the same case."""
    new = results.read(name, folder)
    same = results.rows(problem=new.problem, physics=dict(new.physics), preset=new.preset,
                        optimizer=new.optimizer, variant=new.variant)  # fmt: skip
    if not same:
        return f"{name}: {new.error:.2e}; nothing is stored to compare it with"
    errors = [row.error for row in same]
    return f"{name}: {new.error:.2e} again; stored, {len(same)} seeds: {results.spread(errors)}"


def _is_kept(name: str, folder: Path, replace: bool) -> bool:
    """Whether a stored row stays as it is; says why."""
    if not (folder / f"{name}.json").exists():
        return False
    row = results.read(name, folder)
    known = f"{name}: stored, error {row.error:.2e}, {row.date}, commit {row.commit}"
    if not replace:
        print(f"{known}; kept: --replace trains it again, --out FOLDER keeps both")
    elif commit().endswith("-dirty") and not row.undocumented():
        print(f"{known}; kept: files differ from the last commit, so that a new row would not say "
              "what was run. Commit first, or use --out FOLDER")  # fmt: skip
    else:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help="names, or patterns with *")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, on separate cores")
    parser.add_argument("--preset", default="laptop", choices=PRESETS)
    parser.add_argument("--steps", type=int, help="instead of the recipe's")
    parser.add_argument(
        "--time-limit", type=float, default=math.inf, metavar="SECONDS",
        help="stop then, and store what there is",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="another folder; for the preset test runs/results")
    parser.add_argument("--replace", action="store_true", help="train what is stored again")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--cores", type=int, nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs ignore the first
        signal.signal(number, signal.default_int_handler)
    known = catalogue(arguments.preset)
    if arguments.out is None:
        own = results.FOLDER, ROOT / "runs" / "results"
        arguments.out = own[arguments.preset == "test"]
    if arguments.task:
        _child(known[arguments.task], arguments)
        return
    if not arguments.rows:
        print(overview(known, arguments.out))
        return
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if not 1 <= arguments.jobs <= max(1, len(cores)):
        raise SystemExit(f"--jobs must be 1 to {max(1, len(cores))}, the cores there are")
    names = matching(arguments.rows, known)
    kept = [name for name in names if _is_kept(name, arguments.out, arguments.replace)]
    missing = [name for name in names if name not in kept]
    options = ["--time-limit", str(arguments.time_limit)]
    if arguments.steps is not None:
        options += ["--steps", str(arguments.steps)]
    sweep = Sweep(missing, arguments.preset, arguments.out, arguments.jobs, cores, options)
    try:
        sweep.run()
    except KeyboardInterrupt:
        raise SystemExit("\nstopped; the same command goes on from the checkpoints") from None
    if arguments.out != results.FOLDER:
        for name in missing:
            if name not in sweep.failed:
                print(compare(name, arguments.out))
    if sweep.failed:
        raise SystemExit(f"{len(sweep.failed)} failed; the same command tries them again")


def _child(task: Task, arguments: argparse.Namespace) -> None:
    if arguments.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, arguments.cores)
    steps = arguments.steps or _steps_of_others(task, arguments.out)
    train(task, arguments.out, steps, arguments.time_limit)


def _steps_of_others(task: Task, folder: Path) -> int | None:
    """Of a row that fills a time: its steps when it was trained before, or with another seed."""
    if task.seconds is None:
        return None
    for seed in (task.seed, *THREE):
        name = replace(task, seed=seed).name
        if (folder / f"{name}.json").exists():
            return results.read(name, folder).steps
    return None


if __name__ == "__main__":
    main()
