"""PINA (pina-mathlab)."""

from __future__ import annotations

import time
import warnings

import numpy as np
import task


def load():
    import lightning
    import pina
    import pina.callback
    import pina.equation
    import pina.model
    import pina.optim
    import pina.problem.zoo
    import pina.solver
    import torch

    warnings.simplefilter("ignore")
    lightning.seed_everything(0)
    return pina, torch, lightning


def solver(library, width, depth, interior, boundary, initial):
    """PINA's own Burgers problem with its solver for physics-informed networks."""
    pina, torch, _ = library
    problem = pina.problem.zoo.BurgersProblem(nu=task.VISCOSITY)
    for region, n in (("D", interior), ("boundary", boundary), ("t0", initial)):
        problem.discretise_domain(n, "random", domains=[region])
    network = pina.model.FeedForward(
        input_dimensions=2, output_dimensions=1, layers=[width] * depth, func=torch.nn.Tanh
    )
    adam = pina.optim.TorchOptimizer(torch.optim.Adam, lr=task.RATE)
    return pina.solver.PhysicsInformedSingleModelSolver(problem, network, optimizer=adam)


def train(library, trained, epochs, callbacks=()):
    """One epoch is one step: the batch is the whole of the points."""
    pina = library[0]
    pina.Trainer(
        trained,
        max_epochs=epochs,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        logger=False,
        callbacks=list(callbacks),
    ).train()


def speed(library, steps, report):
    started = time.perf_counter()
    trained = solver(library, task.WIDTH, task.DEPTH, task.INTERIOR, task.BOUNDARY, task.INITIAL)
    train(library, trained, 1)
    seconds = time.perf_counter() - started
    count = sum(p.numel() for p in trained.parameters())
    report("first step", seconds=seconds, parameters=count)
    warm_up, times = max(1, steps // 10), {}

    class Clock(library[2].pytorch.callbacks.Callback):
        def on_train_epoch_end(self, trainer, _):
            times[trainer.current_epoch + 1] = time.perf_counter()

    train(library, trained, warm_up + steps, [Clock()])
    rate = steps / (times[warm_up + steps] - times[warm_up])
    report("speed", steps_per_second=rate, threads=library[1].get_num_threads())


def adam_then_lbfgs(library, watch, quick):
    """Adam, then L-BFGS by SwitchOptimizer, on DeepXDE's network, points and steps.

    PINA documents the problem and the switch, but no numbers for Burgers.
    """
    pina, torch, lightning = library
    trained = solver(library, 20, 3, 2540, 80, 160)
    adam_steps = 20 if quick else 15000
    steps = 0

    def predict(grid):
        points = torch.as_tensor(np.ascontiguousarray(grid[:, ::-1]), dtype=torch.float32)
        with torch.no_grad():
            values = trained.forward(pina.LabelTensor(points, ["x", "t"]))
        return values.as_subclass(torch.Tensor).numpy()

    class Look(lightning.pytorch.callbacks.Callback):
        def on_train_epoch_end(self, trainer, _):
            nonlocal steps
            steps += 1 if trainer.current_epoch < adam_steps else per_epoch
            watch.look(steps, predict)
            trainer.should_stop = watch.over

    per_epoch = 20
    lbfgs = pina.optim.TorchOptimizer(
        torch.optim.LBFGS, max_iter=per_epoch, history_size=100, line_search_fn="strong_wolfe"
    )
    switch = pina.callback.SwitchOptimizer(lbfgs, epoch_switch=adam_steps)
    train(library, trained, adam_steps + (2 if quick else 750), [switch, Look()])
    watch.look(steps, predict, last=True)


if __name__ == "__main__":
    task.run(
        load,
        speed,
        {"adam_then_lbfgs": adam_then_lbfgs},
        ["pina-mathlab", "numpy", "torch", "lightning"],
    )
