"""The figures that README quotes, measured on this machine: `python tools/measure.py WHAT`.

    step      step time of SOAP over Adam, and the cost of the monitors
    taylor    residual and gradient by Taylor mode, by jet and by nested jax.grad
    race      Burgers at the laptop preset, SOAP and Adam at equal wall time, three seeds;
              networks and a table go to pinnkit/results
    picture   README's picture, drawn from the stored networks

Times are compared side by side in one run; close other programs first.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from flax import nnx
from jax.experimental import jet

import pinnkit
from pinnkit import plotting
from pinnkit.monitors import Monitor
from pinnkit.problems import Burgers
from pinnkit.recipes import soap_and_adam
from pinnkit.terms import Loss
from pinnkit.training_step import TrainingStep

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "pinnkit" / "results"
PROBLEM = Burgers()
SEEDS = (0, 1, 2)
ADAM_RATES = (1e-3, 3e-3, 1e-2)


def side_by_side(candidates: dict[str, Callable[[], None]], repeats: int = 15) -> dict[str, float]:
    """Median seconds of each candidate, run in turn."""
    times = {name: [] for name in candidates}
    for _ in range(repeats):
        for name, call in candidates.items():
            started = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - started)
    return {name: float(np.median(t)) for name, t in times.items()}


class Stepper:
    """The laptop preset with one optimizer: each call takes 100 steps."""

    def __init__(self, optimizer: str):
        recipe = pinnkit.recipe(PROBLEM, "laptop", optimizer)
        self.step = TrainingStep(
            Loss(PROBLEM, recipe.weights, recipe.causal),
            pinnkit.network(PROBLEM, **recipe.network),
            optax.with_extra_args_support(recipe.optimizers[optimizer](recipe.steps)),
            recipe.points,
            jnp.float32,
        )
        self.state = self.step.initial_state(0)
        self.advance, _ = self.step.compile(self.state)
        self.monitor = Monitor(self.step)
        self.monitor.compile(self.state)

    def __call__(self) -> None:
        self.state, finite = self.advance(self.state, 100)
        assert bool(finite)

    def measure(self) -> None:
        self.monitor(self.state, seconds=0.0)


def measure_step() -> float:
    """Print the step time of both optimizers; return SOAP's over Adam's."""
    steppers = {name: Stepper(name) for name in ("adam", "soap")}
    calls = dict(steppers) | {"monitors": steppers["soap"].measure}
    seconds = side_by_side(calls)
    ratio = seconds["soap"] / seconds["adam"]
    print(f"Adam {10 * seconds['adam']:.3f} ms, SOAP {10 * seconds['soap']:.3f} ms per step")
    print(f"SOAP over Adam: {ratio:.3f}")
    share = seconds["monitors"] / (seconds["soap"] + seconds["monitors"])
    print(f"monitors every 100 steps: {1e3 * seconds['monitors']:.2f} ms, {100 * share:.2f} %")
    return ratio


def measure_taylor() -> None:
    """Print the time of Burgers' residual with its parameter gradient by three methods."""
    network = pinnkit.network(PROBLEM, width=64, depth=4)
    graph, parameters = nnx.split(network)
    points = jax.random.uniform(jax.random.key(0), (4096, 2))

    def taylor(u, point):
        return pinnkit.partials(PROBLEM.field(u), point, "u u_t u_x u_xx")

    def along_x_by_jet(u, point):
        e_t, e_x = jnp.eye(2, dtype=point.dtype)
        value, (u_x, u_xx) = jet.jet(u, (point,), ((e_x, jnp.zeros_like(e_x)),))
        return value[0], jax.jvp(u, (point,), (e_t,))[1][0], u_x[0], u_xx[0]

    def nested_grad(u, point):
        def f(t, x):
            return u(jnp.stack([t, x]))[0]

        return (
            f(*point),
            jax.grad(f, 0)(*point),
            jax.grad(f, 1)(*point),
            jax.grad(jax.grad(f, 1), 1)(*point),
        )

    def call(derivatives):
        def loss(parameters):
            u_of = nnx.merge(graph, parameters)

            def row(point):
                u, u_t, u_x, u_xx = derivatives(u_of, point)
                return (u_t + u * u_x - PROBLEM.viscosity * u_xx) ** 2

            return jnp.mean(jax.vmap(row)(points))

        compiled = jax.jit(jax.value_and_grad(loss)).lower(parameters).compile()
        return lambda: jax.block_until_ready(compiled(parameters))

    methods = {"taylor": taylor, "jet": along_x_by_jet, "nested jax.grad": nested_grad}
    calls = {name: call(method) for name, method in methods.items()}
    values = {name: float(c()[0]) for name, c in calls.items()}
    assert np.allclose(list(values.values()), values["taylor"], rtol=1e-4), values
    seconds = side_by_side(calls)
    for name, value in seconds.items():
        print(f"{name:16} {1e3 * value:7.2f} ms")
    print(f"nested over taylor: {seconds['nested jax.grad'] / seconds['taylor']:.2f}")
    print(f"jet over taylor: {seconds['jet'] / seconds['taylor']:.2f}")


def race() -> None:
    """Train with each optimizer for the same time; store networks, history and a table."""
    ratio = measure_step()
    steps = {"soap": pinnkit.recipe(PROBLEM, "laptop", "soap").steps}
    steps["adam"] = round(steps["soap"] * ratio)
    rows = []
    RESULTS.mkdir(exist_ok=True)
    for seed in SEEDS:
        entries = [("soap", 3e-3, "soap")] + [("adam", r, f"adam_{r:g}") for r in ADAM_RATES]
        for name, rate, label in entries:
            optimizer = soap_and_adam(rate)[name](steps[name])
            recipe = pinnkit.recipe(PROBLEM, "laptop", name)
            run = pinnkit.fit(
                PROBLEM,
                pinnkit.network(PROBLEM, seed=seed, **recipe.network),
                optimizer,
                steps=steps[name],
                points=recipe.points,
                weights=recipe.weights,
                causal=recipe.causal,
                seed=seed,
            )
            error = run.relative_error()
            row = {
                "optimizer": label,
                "seed": seed,
                "steps": run.steps,
                "seconds": round(run.seconds, 1),
                "compile_seconds": round(run.compile_seconds, 1),
                "final_loss": float(np.median(run.history["loss"][-10:])),
                "error": error["u"],
                "reference_error": error.reference,
            }
            if rate == 3e-3:
                row["file"] = run.save(RESULTS / f"burgers_laptop_{name}_{seed}").name
            rows.append(row)
            print(row, flush=True)
    table = {
        "problem": "Burgers, viscosity 0.01/pi",
        "preset": "laptop",
        "precision": "float32",
        "command": "python tools/measure.py race",
        "soap_over_adam_step_time": round(ratio, 3),
        "hardware": hardware(),
        "versions": versions(),
        "commit": commit(),
        "rows": rows,
    }
    (RESULTS / "burgers_race.json").write_text(json.dumps(table, indent=1) + "\n")


def hardware() -> str:
    """The GPU, if there is one, else the processor, in words."""
    if jax.default_backend() != "cpu":
        return ", ".join(sorted({device.device_kind for device in jax.devices()}))
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = models[0].partition(": ")[2] if models else name
    return f"{name}, {pinnkit.about()['cores']} cores"


def versions() -> dict[str, str]:
    """Of Python and the libraries that figures depend on."""
    return {p: pinnkit.about()[p] for p in ("python", "pinnkit", "jax", "flax", "optax")}


def commit(root: Path = ROOT) -> str:
    """The commit that was measured, marked where files differ from it.

    Stored rows do not count: a sweep that trains them again rewrites one after the other.
    """

    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)

    name = git("rev-parse", "--short", "HEAD").stdout.strip()
    changed = git("diff", "--quiet", "HEAD", "--", ".", ":!pinnkit/results/rows").returncode
    return f"{name}-dirty" if name and changed else name


def provenance() -> dict[str, Any]:
    """Where, with what and when something was measured."""
    return {
        "hardware": hardware(),
        "versions": versions(),
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
    }


def picture() -> None:
    """README's picture: errors over space and time, and against training time, on seed 0."""
    runs = {
        "Adam": pinnkit.load(RESULTS / "burgers_laptop_adam_0"),
        "SOAP": pinnkit.load(RESULTS / "burgers_laptop_soap_0"),
    }
    reference = PROBLEM.reference()
    with plotting.style():
        figure, axes = plt.subplots(1, 3, figsize=(12, 3.4), width_ratios=(1, 1, 1.1))
        for ax, (name, run) in zip(axes, runs.items(), strict=False):
            error = np.abs(run.predict(reference.axes)["u"] - reference.values["u"])
            plotting.plot_field(
                ax,
                reference.axes,
                np.log10(np.maximum(error, 1e-6)),
                title=f"{name}: error {run.relative_error()['u']:.1e}",
                label=r"$\log_{10}|u_\theta - u|$",
                cmap=plotting.ERROR_MAP,
                vmin=-6,
                vmax=-1,
            )
        plotting.plot_error(axes[2], {name: run.history for name, run in runs.items()})
        axes[2].set_title("same network, same equation")
        (ROOT / "docs").mkdir(exist_ok=True)
        figure.savefig(ROOT / "docs" / "burgers.png", dpi=110)


def main() -> None:
    commands = {"step": measure_step, "taylor": measure_taylor, "race": race, "picture": picture}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=commands)
    commands[parser.parse_args().what]()


if __name__ == "__main__":
    main()
