"""Runs on several devices, in a process of its own: JAX counts its devices when it starts.

    python -m tests.parallel.runs FILE LOCAL_DEVICES [PORT PROCESSES PROCESS] < jobs.json

A job says what `train` takes, by name. FILE gets the weights of each and its history, or its error.
"""

import json
import shutil
import sys

import jax
import numpy as np
import optax
from flax import nnx
from jax.flatten_util import ravel_pytree

import pinnkit
from pinnkit.terms import Loss

PROBLEM = pinnkit.problems.Burgers()
OPTIMIZERS = {
    "adam": lambda mesh: optax.adam(1e-3),
    "soap": lambda mesh: pinnkit.soap(3e-3, b2=0.99, weight_decay=0.0),
    "soap_spread": lambda mesh: pinnkit.soap(3e-3, b2=0.99, weight_decay=0.0, mesh=mesh),
    "gauss_newton": lambda mesh: pinnkit.gauss_newton(space="parameters"),
    "damped": lambda mesh: pinnkit.gauss_newton(
        space="parameters", damping=1.0, smallest=1.0, factors=(1.0,)
    ),
    "kernel": lambda mesh: pinnkit.gauss_newton(space="residuals"),
    "matrix_free": lambda mesh: pinnkit.gauss_newton(space="matrix_free"),
}


def train(
    optimizer="adam", dtype="float64", steps=200, width=8, interior=64, condition=16, begin=None,
    mutate=False, monitor_every=None, **options,
):  # fmt: skip
    """A run; `begin` is a checkpoint that it copies and goes on from."""
    if begin is not None:
        shutil.copytree(begin, options["checkpoint"])
    network = pinnkit.network(PROBLEM, width=width, depth=2, dtype=dtype)
    mesh = pinnkit.devices.device_mesh(options.get("devices"))
    by_term = Loss.by_term
    if mutate:

        def on_first_device(loss, function, points):
            return by_term(loss, function, {n: x[: len(x) // 8] for n, x in points.items()})

        Loss.by_term = on_first_device
    try:
        return pinnkit.fit(
            PROBLEM,
            network,
            OPTIMIZERS[optimizer](mesh),
            steps=steps,
            points=pinnkit.UniformSampler(interior=interior, condition=condition),
            monitor_every=monitor_every,
            progress=False,
            **options,
        )
    finally:
        Loss.by_term = by_term


def solve(preset="test", **options):
    return pinnkit.solve(PROBLEM, preset, progress=False, **options)


def weights(run) -> np.ndarray:
    return np.asarray(ravel_pytree(nnx.to_pure_dict(nnx.state(run.network, nnx.Param)))[0])


def main(file, local_devices, port=None, processes=1, process=0):
    jax.config.update("jax_num_cpu_devices", int(local_devices))
    jax.config.update("jax_enable_x64", True)
    if port is not None:
        jax.distributed.initialize(f"localhost:{port}", int(processes), int(process))
    results = {}
    for name, job in json.load(sys.stdin).items():
        job = job[int(process)] if isinstance(job, list) else job  # one for each process
        try:
            run = solve(**job) if "preset" in job else train(**job)
            results[name] = weights(run)
            results |= {f"{name}/{column}": run.history[column] for column in run.history}
        except Exception as error:
            results[f"{name}/error"] = np.array(f"{type(error).__name__}: {error}")
    np.savez(file, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
