"""Toys: losses of two variables whose terms conflict, for every optimizer that `fit` trains with.

Each term is a sum of squares, as the loss of a PINN is, and each toy says where its minimum lies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral

import jax
import jax.numpy as jnp
import numpy as np
import optax

from pinnkit.optimizers.gauss_newton import SumOfSquares

Residual = Callable[[jax.Array], jax.Array]


@dataclass(frozen=True)
class Toy:
    """A loss L(w) = sum over terms of |r(w)|^2 in a few variables.

    Args:
        residuals: by term, functions of w, shape (n,), that return an array.
        start: where descents begin.
        minimum: w that makes all residuals zero.
    """

    residuals: Mapping[str, Residual]
    start: tuple[float, ...]
    minimum: tuple[float, ...]

    def losses(self, w: jax.Array) -> dict[str, jax.Array]:
        """|r|^2 of each term."""
        return {name: jnp.sum(r(w) ** 2) for name, r in self.residuals.items()}

    def loss(self, w: jax.Array) -> jax.Array:
        """The sum of all terms."""
        return sum(self.losses(w).values())

    def gradients(self, w: jax.Array) -> dict[str, jax.Array]:
        """Gradient of each term, shape (n,)."""
        return jax.jacrev(self.losses)(w)

    def path(
        self,
        optimizer: optax.GradientTransformation,
        steps: int,
        start: tuple[float, ...] | None = None,
        dtype: str = "float32",
    ) -> np.ndarray:
        """Where an optimizer goes.

        Args:
            optimizer: any optax transformation; it is passed the extra arguments that
                `pinnkit.fit` passes.
            steps: number of steps.
            start: where to begin, by default the toy's own start.
            dtype: "float32" or "float64"; the latter needs `jax.enable_x64`.

        Returns:
            Array of shape (steps + 1, n), the start first.

        Raises:
            ValueError: the number of steps or the start do not fit.
        """
        if isinstance(steps, bool) or not isinstance(steps, Integral) or steps < 1:
            raise ValueError(f"steps must be an integer >= 1, got {steps!r}")
        start = self.start if start is None else start
        if np.shape(start) != np.shape(self.start) or not np.all(np.isfinite(start)):
            raise ValueError(f"the start must be {len(self.start)} finite numbers, got {start}")
        w = jnp.asarray(start, dtype)
        path = jax.jit(lambda w: self.descent(optimizer, steps, w))(w)
        return np.concatenate([np.asarray(w)[None], np.asarray(path)])

    def descent(
        self, optimizer: optax.GradientTransformation, steps: int, start: jax.Array
    ) -> jax.Array:
        """The points of `path` after the start, shape (steps, n), unchecked and ready for jit.

        The toy's residuals, the start and the optimizer's settings may be traced: an interactive
        figure compiles it once for all of its knobs.
        """
        optimizer = optax.with_extra_args_support(optimizer)
        squares = SumOfSquares(
            lambda w: jnp.concatenate([jnp.ravel(r(w)) for r in self.residuals.values()])
        )

        # optax's line searches hand on the extra arguments they get
        def objective(w, least_squares=None, gradients_by_term=None):
            del least_squares, gradients_by_term
            return self.loss(w)

        def step(carry, _):
            w, state = carry
            value, gradient = jax.value_and_grad(objective)(w)
            update, state = optimizer.update(
                gradient,
                state,
                w,
                value=value,
                grad=gradient,
                value_fn=objective,
                least_squares=squares,
                gradients_by_term=lambda: self.gradients(w),
            )
            w = optax.apply_updates(w, update)
            return (w, state), w

        return jax.lax.scan(step, (start, optimizer.init(start)), length=steps)[1]


def opposed_lines(angle: float = 150.0, ratio: float = 1.0) -> Toy:
    """Two lines to be on: terms (a . w)^2 and ratio^2 (b . w)^2 with unit normals a and b.

    Both normals lie at half the angle from the x axis. Near 180 degrees (or 0) the lines are
    nearly parallel and the valley between them is narrow: at a right angle and with ratio 1 the
    loss is as round as can be. Between the lines the gradients point against each other: a
    conflict of direction. A ratio far from 1 makes one gradient the longer: a conflict of
    magnitude.

    Args:
        angle: between the normals in degrees, in (0, 180).
        ratio: of the residuals' scales, positive.

    Raises:
        ValueError: an argument is out of range.
    """
    if not 0 < angle < 180:
        raise ValueError(f"the angle must lie between 0 and 180 degrees, got {angle}")
    if not (0 < ratio < math.inf):
        raise ValueError(f"the ratio must be positive and finite, got {ratio}")
    half = math.radians(angle) / 2
    c, s = math.cos(half), math.sin(half)
    return Toy(
        {"first": lambda w: c * w[0] + s * w[1], "second": lambda w: ratio * (c * w[0] - s * w[1])},
        start=(1.5, 1.0),
        minimum=(0.0, 0.0),
    )


def rosenbrock(steepness: float = 10.0) -> Toy:
    """Rosenbrock's bent valley: terms (1 - x)^2 and steepness^2 (y - x^2)^2.

    With steepness 10 it is Rosenbrock's own (1960, Comput. J. 3, 175).

    Args:
        steepness: of the walls, positive.

    Raises:
        ValueError: the steepness is not positive and finite.
    """
    if not (0 < steepness < math.inf):
        raise ValueError(f"the steepness must be positive and finite, got {steepness}")
    return Toy(
        {"floor": lambda w: 1 - w[0], "walls": lambda w: steepness * (w[1] - w[0] ** 2)},
        start=(-1.2, 1.0),
        minimum=(1.0, 1.0),
    )


def circle_and_line() -> Toy:
    """Two curves to be on, x^2 + y^2 = 1 and x = y: their crossing is the minimum."""
    root = math.sqrt(0.5)
    return Toy(
        {"circle": lambda w: w[0] ** 2 + w[1] ** 2 - 1, "line": lambda w: w[0] - w[1]},
        start=(1.6, 0.2),
        minimum=(root, root),
    )


TOYS = {
    "opposed_lines": opposed_lines(),
    "unequal_lines": opposed_lines(90.0, 10.0),
    "rosenbrock": rosenbrock(),
    "circle_and_line": circle_and_line(),
}
"""One of each, by name."""
