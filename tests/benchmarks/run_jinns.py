"""jinns."""

from __future__ import annotations

import contextlib
import io
import re
import time

import task


def load():
    import equinox
    import jax
    import jinns
    import optax

    return jinns, jax, equinox, optax


def problem(library, width, depth, interior, boundary, initial):
    """Loss, points and parameters as in jinns' notebook on Burgers' equation."""
    jinns, jax, equinox, _ = library
    layers = [(equinox.nn.Linear, 2, width), (jax.nn.tanh,)]
    for _ in range(depth - 1):
        layers += [(equinox.nn.Linear, width, width), (jax.nn.tanh,)]
    layers.append((equinox.nn.Linear, width, 1))
    network_key, points_key = jax.random.split(jax.random.key(0))
    u, weights = jinns.nn.PINN_MLP.create(
        key=network_key, eqx_list=tuple(layers), eq_type="PDENonStatio"
    )
    points = jinns.data.CubicMeshPDENonStatio(
        key=points_key,
        n=interior,
        nb=boundary,
        ni=initial,
        dim=1,
        min_pts=(-1,),
        max_pts=(1,),
        tmin=0,
        tmax=1,
        method="uniform",
    )
    params = jinns.parameters.Params(
        nn_params=weights, eq_params={"nu": jax.numpy.array(task.VISCOSITY)}
    )
    loss = jinns.loss.LossPDENonStatio(
        u=u,
        loss_weights=jinns.loss.LossWeightsPDENonStatio(
            dyn_loss=1, initial_condition=1, boundary_loss=1
        ),
        dynamic_loss=jinns.loss.BurgersEquation(Tmax=1),
        boundary_condition=jinns.loss.Dirichlet(),
        initial_condition_fun=lambda x: -jax.numpy.sin(jax.numpy.pi * x),
        params=params,
    )
    return u, params, points, loss


def solve(library, **arguments):
    """jinns.solve, with the seconds of training that it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        result = library[0].solve(**arguments)
    return result, float(re.search(r"Training took\s+([0-9.e+-]+)", printed.getvalue())[1])


def speed(library, steps, report):
    _, jax, _, optax = library
    started = time.perf_counter()
    _, params, points, loss = problem(
        library, task.WIDTH, task.DEPTH, task.INTERIOR, task.BOUNDARY, task.INITIAL
    )
    arguments = {"init_params": params, "data": points, "loss": loss}
    arguments |= {"optimizer": optax.adam(task.RATE), "print_loss_every": 10**9}
    solve(library, n_iter=1, **arguments)
    report(
        "first step",
        seconds=time.perf_counter() - started,
        parameters=sum(leaf.size for leaf in jax.tree.leaves(params.nn_params)),
    )
    result, seconds = solve(library, n_iter=steps, **arguments)
    report("speed", steps_per_second=steps / seconds, loss=float(result[1][-1]))


def natural_gradient(library, watch, quick, *, interior=900, steps=300, together=10):
    """The notebook: 3 x 16, double precision, 300 steps of natural gradient descent."""
    jinns, jax, _, _ = library
    jax.config.update("jax_enable_x64", True)
    u, params, points, loss = problem(library, 16, 3, interior, 2000, 2000)
    predict = jax.jit(jax.vmap(lambda point, params: u(point, params)[0], (0, None)))
    optimizer, state, clock = jinns.optimizers.vanilla_ngd(), None, None
    steps, together = (4, 2) if quick else (steps, together)
    for step in range(together, steps + 1, together):
        result, seconds = solve(
            library,
            init_params=params,
            data=points,
            loss=loss,
            optimizer=optimizer,
            opt_state=state,
            n_iter=together,
            print_loss_every=10**9,
        )
        params, points, loss, state = result[0], result[3], result[4], result[5]
        # `solve` compiles at each call, one call of all steps would do so once
        clock = watch.seconds if clock is None else clock + seconds
        watch.hand_over(step, clock, predict(jax.numpy.asarray(watch.grid), params))
        if clock > watch.cap:
            return


def natural_gradient_more_points(library, watch, quick):
    """More points and steps than the notebook: at 900 points the loss falls, the error stays."""
    natural_gradient(library, watch, quick, interior=task.INTERIOR, steps=500, together=25)


if __name__ == "__main__":
    task.run(
        load,
        speed,
        {f.__name__: f for f in (natural_gradient, natural_gradient_more_points)},
        ["jinns", "jax", "optax", "equinox"],
    )
