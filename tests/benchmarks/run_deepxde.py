"""DeepXDE, on the backend that DDE_BACKEND names."""

from __future__ import annotations

import os
import time

import numpy as np
import task

JAX = os.environ["DDE_BACKEND"] == "jax"
# DeepXDE puts the boundary and initial points among those of the residual, too
OF_RESIDUAL = task.INTERIOR - task.INITIAL - task.BOUNDARY


def load():
    import deepxde

    if not JAX:
        import torch

        torch.manual_seed(0)
    deepxde.config.set_random_seed(0)
    return deepxde


def model(dde, width, depth, interior, boundary, initial):
    """The problem as in DeepXDE's example Burgers.py, up to t = 1."""

    def pde(x, y):
        u_x = dde.grad.jacobian(y, x, i=0, j=0)
        u_t = dde.grad.jacobian(y, x, i=0, j=1)
        u_xx = dde.grad.hessian(y, x, i=0, j=0)
        if JAX:
            y, u_x, u_t, u_xx = y[0], u_x[0], u_t[0], u_xx[0]
        return u_t + y * u_x - task.VISCOSITY * u_xx

    space = dde.geometry.Interval(-1, 1)
    domain = dde.geometry.GeometryXTime(space, dde.geometry.TimeDomain(0, 1))
    zero = dde.icbc.DirichletBC(domain, lambda x: 0, lambda _, on_boundary: on_boundary)
    start = dde.icbc.IC(
        domain, lambda x: -np.sin(np.pi * x[:, 0:1]), lambda _, on_initial: on_initial
    )
    data = dde.data.TimePDE(
        domain,
        pde,
        [zero, start],
        num_domain=interior,
        num_boundary=boundary,
        num_initial=initial,
    )
    network = dde.nn.FNN([2] + [width] * depth + [1], "tanh", "Glorot normal")
    return dde.Model(data, network)


def parameters(trained) -> int:
    if JAX:
        import jax

        return sum(leaf.size for leaf in jax.tree.leaves(trained.params))
    return sum(p.numel() for p in trained.net.parameters())


def speed(dde, steps, report):
    started = time.perf_counter()
    trained = model(dde, task.WIDTH, task.DEPTH, OF_RESIDUAL, task.BOUNDARY, task.INITIAL)
    trained.compile("adam", lr=task.RATE, verbose=0)
    trained.train(iterations=1, display_every=10**9, verbose=0)
    seconds = time.perf_counter() - started
    report("first step", seconds=seconds, parameters=parameters(trained))
    trained.train(iterations=max(1, steps // 10), display_every=10**9, verbose=0)
    started = time.perf_counter()
    trained.train(iterations=steps, display_every=10**9, verbose=0)
    seconds = time.perf_counter() - started
    report(
        "speed", steps_per_second=steps / seconds, loss=float(sum(trained.train_state.loss_train))
    )


def adam_then_lbfgs(dde, watch, quick):
    """The documentation's example; L-BFGS, which the JAX backend does not have, on torch only."""
    trained = model(dde, 20, 3, 2540, 80, 160)

    class Look(dde.callbacks.Callback):
        def on_epoch_end(self):
            watch.look(self.model.train_state.step, predict)
            self.model.stop_training = watch.over

    def predict(grid):
        return trained.predict(grid[:, ::-1].astype(np.float32))

    trained.compile("adam", lr=1e-3, verbose=0)
    trained.train(iterations=20 if quick else 15000, callbacks=[Look()], verbose=0)
    if not JAX and not watch.over:
        options = dde.optimizers.config.LBFGS_options
        if quick:
            options |= {"maxiter": 20}
        options |= {"iter_per_step": 10 if quick else 100, "fun_per_step": 125}  # Look sees more
        trained.compile("L-BFGS", verbose=0)
        trained.train(callbacks=[Look()], verbose=0)
    watch.look(trained.train_state.step, predict, last=True)


if __name__ == "__main__":
    task.run(
        load,
        speed,
        {"adam_then_lbfgs": adam_then_lbfgs},
        ["deepxde", "numpy", *(["jax", "optax"] if JAX else ["torch"])],
    )
