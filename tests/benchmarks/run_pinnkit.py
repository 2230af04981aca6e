"""pinnkit."""

from __future__ import annotations

import functools
import tempfile
import time

import numpy as np
import task


def load():
    import jax
    import optax

    import pinnkit

    return pinnkit, jax, optax


def with_walls(pinnkit):
    """Burgers' equation with u = 0 at the walls as a loss term, and without a reference.

    Without one the monitors measure no error, as the other libraries do not either.
    """
    from pinnkit.problems import Burgers, Condition

    class WithWalls(Burgers):
        periodic = ()

        def conditions(self):
            walls = Condition("boundary", {"x": (-1.0, 1.0)}, lambda u, point: u(point)[0])
            return (*super().conditions(), walls)

        def reference(self):
            raise NotImplementedError

    return WithWalls()


def speed(library, steps, report):
    pinnkit, jax, optax = library
    from flax import nnx

    from pinnkit.terms import Loss

    started = time.perf_counter()
    problem = with_walls(pinnkit)
    network = pinnkit.network(problem, width=task.WIDTH, depth=task.DEPTH)
    assert task.INITIAL == task.BOUNDARY
    points = pinnkit.UniformSampler(interior=task.INTERIOR, condition=task.INITIAL)

    def train(steps):
        return pinnkit.fit(
            problem,
            network,
            optax.adam(task.RATE),
            steps=steps,
            points=points,
            monitor_every=None,
            progress=False,
        )

    train(1)
    report(
        "first step",
        seconds=time.perf_counter() - started,
        parameters=sum(leaf.size for leaf in jax.tree.leaves(nnx.state(network, nnx.Param))),
    )
    run = train(steps)
    loss = Loss(problem)
    at = points(jax.random.key(0), problem, jax.numpy.float32)
    report(
        "speed",
        steps_per_second=run.steps / run.seconds,
        loss=float(loss.total(loss.by_term(run.network, at))),
    )


def follow(watch, every, steps, train):
    """Train in sessions that continue each other; what each compiles anew is not counted twice."""
    axes = {"t": np.unique(watch.grid[:, 0]), "x": np.unique(watch.grid[:, 1])}
    set_up = None
    with tempfile.TemporaryDirectory() as folder:
        for step in range(every, steps + 1, every):
            run = train(steps=step, checkpoint=folder, progress=False)
            if set_up is None:
                set_up = watch.seconds - run.seconds
            watch.hand_over(step, set_up + run.seconds, run.predict(axes)["u"])
            if set_up + run.seconds > watch.cap:
                return


def self_scaled_broyden(library, watch, quick):
    """README's second-order training, run for longer."""
    pinnkit = library[0]
    problem = pinnkit.problems.Burgers()
    follow(
        watch,
        20 if quick else 250,
        40 if quick else 20_000,
        functools.partial(
            pinnkit.fit,
            problem,
            pinnkit.network(problem, width=20, hard=True, dtype="float64"),
            pinnkit.self_scaled_broyden(),
            points=pinnkit.ResidualSampler(interior=3000),
            resample_every=500,
        ),
    )


def soap(library, watch, quick):
    """The recipe of SOAP in the preset `laptop`."""
    pinnkit = library[0]
    problem = pinnkit.problems.Burgers()
    recipe = pinnkit.recipe(problem, "laptop", "soap")
    follow(
        watch,
        20 if quick else 1000,
        40 if quick else recipe.steps,
        functools.partial(
            pinnkit.fit,
            problem,
            pinnkit.network(problem, **recipe.network),
            recipe.optimizers["soap"](recipe.steps),
            points=recipe.points,
            weights=recipe.weights,
            causal=recipe.causal,
        ),
    )


if __name__ == "__main__":
    task.run(
        load,
        speed,
        {"self_scaled_broyden": self_scaled_broyden, "soap": soap},
        ["pinnkit", "jax", "optax", "flax"],
    )
