"""Descents in the valley of a loss sum_k (a_k . w)^2, compiled once for all its shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes

from pinnkit.alignment import alignment_score
from pinnkit.optimizers.soap import soap
from pinnkit.plotting import COLORS
from pinnkit.toys import Toy

STEPS = 60
RATE = 0.1
MEMORY = {"b1": 0.5, "b2": 0.9}
"""Of Adam and SOAP: shorter than usual, as 60 steps are few."""
NEWTON = "Newton, half steps"
DESCENTS = ("gradient descent", "Adam", "SOAP", NEWTON)
STYLES = dict(zip(DESCENTS, zip(COLORS[1:5], "osD^", strict=True), strict=True))
VIEW = 2.4


@dataclass(frozen=True)
class Valley:
    """A loss and the ways down.

    Attributes:
        normals: a_k, shape (n, 2).
        start: of all paths.
        hessian: of the loss, shape (2, 2).
        gradients: of the terms at the start, shape (n, 2).
        newton: what Newton's preconditioner, the inverse Hessian, makes of them, shape (n, 2).
        paths: by descent, shape (STEPS + 1, 2).
        losses: by descent, shape (STEPS + 1,).
        inter: inter-step alignment by descent, shape (STEPS,).
    """

    normals: np.ndarray
    start: tuple[float, float]
    hessian: np.ndarray
    gradients: np.ndarray
    newton: np.ndarray
    paths: dict[str, np.ndarray]
    losses: dict[str, np.ndarray]
    inter: dict[str, np.ndarray]

    @property
    def condition(self) -> float:
        """Condition number of the Hessian."""
        return float(np.linalg.cond(self.hessian))


def valley(normals: np.ndarray, start: tuple[float, float], share: float = 0.9) -> Valley:
    """All descents from a point.

    Args:
        normals: a_k, shape (n, 2), spanning the plane.
        start: where they begin.
        share: of the rate at which gradient descent diverges, 2 over the largest eigenvalue, that
            gradient descent gets. That of Adam and SOAP falls from RATE to zero along a cosine.
    """
    normals = np.asarray(normals, np.float32)
    hessian = 2 * normals.T @ normals
    rate = share * 2 / np.linalg.eigvalsh(hessian)[-1]
    gradients = 2 * normals * (normals @ np.array(start))[:, None]
    arguments = normals, hessian, np.float32(start), np.float32(rate)
    points, losses, inter = map(np.asarray, _descend(*arguments))
    return Valley(
        normals=normals,
        start=start,
        hessian=hessian,
        gradients=gradients,
        newton=gradients @ np.linalg.inv(hessian),
        paths=dict(zip(DESCENTS, points, strict=True)),
        losses=dict(zip(DESCENTS, losses, strict=True)),
        inter=dict(zip(DESCENTS, inter, strict=True)),
    )


@jax.jit
def _descend(normals, hessian, start, rate):
    toy = Toy({f"{k}": partial(jnp.dot, a) for k, a in enumerate(normals)}, start, (0.0, 0.0))
    falling = optax.cosine_decay_schedule(RATE, STEPS)
    optimizers = (
        optax.sgd(rate),
        optax.adam(falling, **MEMORY),
        soap(
            falling,
            **MEMORY,
            shampoo_beta=MEMORY["b2"],
            precondition_1d=True,
            precondition_frequency=1,
        ),
        optax.stateless(lambda g, _: -0.5 * jnp.linalg.solve(hessian, g)),
    )
    points = jnp.stack(
        [jnp.vstack([start, toy.descent(optimizer, STEPS, start)]) for optimizer in optimizers]
    )
    losses = jax.vmap(jax.vmap(toy.loss))(points)
    gradients = jax.vmap(jax.vmap(jax.grad(toy.loss)))(points)
    score = jax.vmap(jax.vmap(lambda a, b: alignment_score([a, b])))
    return points, losses, score(gradients[:, :-1], gradients[:, 1:])


def draw_paths(ax: Axes, result: Valley, shown: Sequence[str]) -> None:
    """Level lines of the loss with the paths over them."""
    x = np.linspace(-VIEW, VIEW, 61)
    grid = np.stack(np.meshgrid(x, x), axis=-1)
    loss = np.sum((grid @ result.normals.T) ** 2, axis=-1)
    levels = np.log10(loss.max()) - np.arange(7)[::-1] * 0.6
    ax.contour(x, x, np.log10(loss + 1e-9), levels=levels, colors="0.75", linewidths=0.8,
               linestyles="-")  # fmt: skip
    for name in shown:
        color, marker = STYLES[name]
        ax.plot(*result.paths[name].T, marker + "-", color=color, ms=3, lw=1, label=name)
    ax.plot(*result.start, "o", color="black", ms=6)
    ax.plot(0, 0, "*", color="black", ms=10)
    ax.grid(False)
    ax.set(xlim=(-VIEW, VIEW), ylim=(-VIEW, VIEW), aspect="equal", xlabel="$w_1$", ylabel="$w_2$")


def draw_losses(ax: Axes, result: Valley, shown: Sequence[str]) -> None:
    """Loss of each path by step."""
    for name in shown:
        color, marker = STYLES[name]
        ax.semilogy(np.maximum(result.losses[name], 1e-12), marker + "-", color=color, ms=3, lw=1,
                    markevery=5, label=name)  # fmt: skip
    ax.set(xlabel="step", ylabel="loss", ylim=(1e-12, 1e3), title="Loss")
    ax.legend(fontsize="small")
