"""What is measured while training: losses, alignment, error."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from pinnkit.alignment import alignment_score, first_order_changes
from pinnkit.compilation import compile_once
from pinnkit.least_squares import LeastSquares
from pinnkit.preconditioners import UnknownPreconditionerError, preconditioner
from pinnkit.problems._checks import check_reference
from pinnkit.training_step import TrainingState, TrainingStep

MAX_ERROR_POINTS = 2000


class Monitor:
    """One row of the history: computed from the state and the points of the next step.

    Columns: "loss" (weighted sum), "loss/TERM", "alignment/intra" (the terms' gradients at one
    step; absent with a single term), "alignment/inter" (total gradients of two successive
    steps), "gradient_norm" of the total, and, if the problem has a reference, "error/NAME" for each
    of `problem.observables`: relative L2 error on at most 2,000 random points of the reference
    grid, the same ones each time.

    If the preconditioner P of the optimizer is known (see `preconditioner`; the identity for
    gradient descent), also "alignment/intra/preconditioned" and "alignment/inter/preconditioned",
    the scores of the same gradients after P as it is now; and, with two terms or more, the
    interference matrix

        "interference/J/K" = - w_J g_J . P (w_K g_K),

    the first-order change of the weighted term J by the part of the step that term K asks for,
    per unit of learning rate; negative lowers the loss, the sum of all is the change of "loss".
    P has a positive factor of its own: `normalized_interference` is free of it.

    What is not defined is nan: the inter-step scores at step 0, a score with a gradient that
    vanishes, all that needs P before the optimizer has one.
    """

    def __init__(self, step: TrainingStep):
        self._step = step
        self._reference = _thinned_reference(step.loss.problem, step.dtype)

    def measure(self, state: TrainingState) -> dict[str, jax.Array]:
        points, names = state.points, self._step.loss.terms
        losses = self._step.losses(state.params, points)
        unweighted = self._step.loss.with_weights({})
        by_term = unweighted.gradients_by_term(self._step.losses, state.params, points)
        # rows of one matrix: operations on every array of a pytree take long to compile
        gradients = jnp.stack([ravel_pytree(by_term[name])[0] for name in names])
        before, _ = ravel_pytree(state.gradient)
        weights = self._step.weights(state)
        weighted = jnp.stack([*weights.values()])[:, None] * gradients
        total = jnp.sum(weighted, axis=0)
        row = {"loss": sum(weights[n] * losses[n] for n in names)}
        row |= {f"loss/{n}": v for n, v in losses.items()}
        if len(names) > 1:
            row["alignment/intra"] = alignment_score([*gradients])
        row["alignment/inter"] = alignment_score([before, total])
        row |= self._preconditioned(state, before, weighted)
        row["gradient_norm"] = jnp.linalg.norm(total)
        return row | self._errors(state)

    def _preconditioned(self, state, before, gradients):
        loss = self._step.loss.with_weights(state.weights)
        residuals = LeastSquares(loss, self._step.network, state.points)
        try:
            precondition = preconditioner(state.optimizer, state.params, least_squares=residuals)
        except UnknownPreconditionerError:
            return {}
        unravel = ravel_pytree(state.params)[1]
        directions = jax.vmap(lambda g: ravel_pytree(precondition(unravel(g)))[0])(
            jnp.vstack([before, gradients])
        )
        asked = directions[1:]
        row = {
            "alignment/inter/preconditioned": alignment_score(
                [directions[0], jnp.sum(asked, axis=0)]
            )
        }
        if len(gradients) > 1:
            row["alignment/intra/preconditioned"] = alignment_score([*asked])
            matrix = first_order_changes([*gradients], [*asked])
            names = self._step.loss.terms
            row |= {
                f"interference/{j}/{k}": matrix[a, b]
                for a, j in enumerate(names)
                for b, k in enumerate(names)
            }
        return row

    def _errors(self, state):
        if self._reference is None:
            return {}
        grid, truth = self._reference
        problem = self._step.loss.problem
        values = jax.vmap(self._step.network_of(state))(grid).reshape(len(grid), -1)
        seen = problem.observables(dict(zip(problem.fields, values.T, strict=True)))
        return {
            f"error/{name}": jnp.linalg.norm(seen[name] - u) / jnp.linalg.norm(u)
            for name, u in truth.items()
        }

    def compile(self, state: TrainingState) -> None:
        self._compiled, _ = compile_once(self.measure, state, mesh=self._step.loss.mesh)

    def wait(self) -> None:
        """Until it is compiled."""
        self._compiled.wait()

    def __call__(self, state: TrainingState, *, seconds: float) -> dict[str, float]:
        row = {name: float(value) for name, value in self._compiled(state).items()}
        return {"step": int(state.step), "seconds": seconds} | row


def _thinned_reference(problem, dtype):
    """Random points of the reference grid, so that thin layers count as much as in the whole."""
    try:
        reference = problem.reference()
    except NotImplementedError:
        return None
    check_reference(problem, reference)
    grid = np.stack(np.meshgrid(*reference.axes.values(), indexing="ij"), axis=-1)
    points = grid.reshape(-1, len(reference.axes))
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(points), min(len(points), MAX_ERROR_POINTS), replace=False)
    seen = problem.observables({n: v.ravel()[chosen] for n, v in reference.values.items()})
    truth = {name: jnp.asarray(value, dtype) for name, value in seen.items()}
    return jnp.asarray(points[chosen], dtype), truth
