"""One optimizer step on the device, and a loop of them that stops at the first bad one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from pinnkit.balancing import AdaptiveWeights
from pinnkit.compilation import compile_once, trace_once
from pinnkit.devices import check_divisible, copy, undivided
from pinnkit.least_squares import LeastSquares
from pinnkit.optimizers.schedule_free import evaluation_params
from pinnkit.sampling import UniformSampler
from pinnkit.terms import Loss

PyTree = Any


class TrainingState(NamedTuple):
    """Everything that the next step depends on.

    Attributes:
        step: number of steps taken.
        params: the network's parameters as nested dictionaries.
        optimizer: the optimizer's state.
        key: source of the points after these.
        points: where the next step evaluates the residuals, by region.
        weights: factor of each loss term at the next step.
        gradient: total gradient of the step before, for the inter-step alignment.
    """

    step: jax.Array
    params: PyTree
    optimizer: PyTree
    key: jax.Array
    points: dict[str, jax.Array]
    weights: dict[str, jax.Array]
    gradient: PyTree


class TrainingStep:
    """The pure functions of one run: its loss, its step, its loop.

    Args:
        loss: what is minimized, with the weights at the start; and on which devices.
        network: what is trained.
        optimizer: how.
        points: draws points for a key.
        dtype: of parameters and points.
        hold: steps that share the same points.
        adaptive: how the weights change; by default they do not.
    """

    def __init__(
        self,
        loss: Loss,
        network: nnx.Module,
        optimizer: optax.GradientTransformationExtraArgs,
        points: UniformSampler,
        dtype: jnp.dtype,
        hold: int = 1,
        adaptive: AdaptiveWeights | None = None,
    ):
        self.loss = loss
        self.optimizer = optimizer
        self.points = points
        self.dtype = dtype
        self.hold = hold
        self.adaptive = adaptive
        self._graph, params, self._rest = nnx.split(network, nnx.Param, ...)
        self.initial_params = nnx.to_pure_dict(params)
        self.losses = trace_once(lambda params, at: loss.by_term(self.network(params), at))

    def network(self, params: PyTree) -> nnx.Module:
        """The network with these parameters."""
        return nnx.merge(self._graph, nnx.State(params), self._rest)

    def network_of(self, state: TrainingState) -> nnx.Module:
        """The network that training has arrived at: of a schedule-free optimizer, its average."""
        return self.network(evaluation_params(state.optimizer, state.params))

    def initial_state(self, seed: int) -> TrainingState:
        """The state before the first step."""
        return self.compile_start(seed)[0]()

    def compile_start(self, seed: int) -> tuple[Callable[[], TrainingState], TrainingState]:
        """A function that returns the state before the first step, and the shapes of that state."""
        mesh = self.loss.mesh
        arguments = copy((jax.random.key(seed), self.initial_params), mesh)
        start, _ = compile_once(self.start, *arguments, mesh=mesh)
        return lambda: start(*arguments), start.shapes

    def start(self, key: jax.Array, params: PyTree) -> TrainingState:
        """The state before the first step with these parameters."""
        weights = {
            n: jnp.asarray(self.loss.weights.get(n, 1.0), self.dtype) for n in self.loss.terms
        }
        key, points = self.draw(key, params, weights)
        state = TrainingState(
            step=jnp.zeros((), jnp.int32),
            params=params,
            optimizer=self.optimizer.init(params),
            key=key,
            points=points,
            weights=weights,
            gradient=jax.tree.map(jnp.zeros_like, params),
        )
        # strongly typed, as a state that returns from a checkpoint is
        return jax.tree.map(lambda x: jnp.array(x, dtype=jnp.asarray(x).dtype), state)

    def draw(
        self, key: jax.Array, params: PyTree, weights: dict[str, jax.Array]
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """The next key and the points that belong to this one."""
        following, now = jax.random.split(key)
        arguments = now, self.loss.problem, self.dtype
        if getattr(self.points, "adaptive", False):
            loss, network = self.loss.with_weights(weights), self.network(params)
            arguments = *arguments, lambda points: loss.squared_residual(network, points)
        points = self.points(*arguments)
        check_divisible(points, self.loss.mesh)
        # drawing them costs less than moving them between devices
        return following, undivided(points, self.loss.mesh)

    def weights(self, state: TrainingState) -> dict[str, jax.Array]:
        """The factor of each loss term in the sum that is minimized."""
        return {name: state.weights[name] for name in self.loss.terms}

    def step(self, state: TrainingState) -> tuple[TrainingState, jax.Array]:
        """The state after one step, and whether loss and update were finite."""
        points, loss = state.points, self.loss.with_weights(state.weights)

        # optax's line searches hand on the extra arguments they get
        def objective(params, least_squares=None, gradients_by_term=None):
            del least_squares, gradients_by_term
            return loss.total(self.losses(params, points))

        value, gradient = self._value_and_grad(objective, state)
        updates, optimizer = self.optimizer.update(
            gradient,
            state.optimizer,
            state.params,
            value=value,
            grad=gradient,
            value_fn=objective,
            least_squares=LeastSquares(loss, self.network, points),
            gradients_by_term=lambda: loss.gradients_by_term(self.losses, state.params, points),
        )
        params = optax.apply_updates(state.params, updates)
        finite = jnp.isfinite(value) & jnp.isfinite(optax.tree.norm(updates))
        following = self._prepare(
            state._replace(
                step=state.step + 1, params=params, optimizer=optimizer, gradient=gradient
            )
        )
        return following, finite

    def _prepare(self, state: TrainingState) -> TrainingState:
        """The state with the points and weights of its next step."""

        def draw():
            return self.draw(state.key, state.params, state.weights)

        if self.hold == 1:
            key, points = draw()
        else:
            due = state.step % self.hold == 0
            key, points = jax.lax.cond(due, draw, lambda: (state.key, state.points))
            state = state._replace(optimizer=_forget_value(state.optimizer, due))
        state = state._replace(key=key, points=points)
        if self.adaptive is None:
            return state

        def balance():
            loss = self.loss.with_weights(state.weights)
            return self.adaptive(loss, self.network, state.params, points)

        due = state.step % self.adaptive.every == 0
        weights = jax.lax.cond(due, balance, lambda: state.weights)
        return state._replace(weights=weights, optimizer=_forget_value(state.optimizer, due))

    def _value_and_grad(self, objective: Callable, state: TrainingState):
        """Where points are held, a line search may have left both at the end of the step before."""
        searches = [s for s in _leaves(state.optimizer) if _is_search(s)]
        if self.hold == 1 or not searches:
            return jax.value_and_grad(objective)(state.params)
        search = searches[0]
        return jax.lax.cond(
            jnp.isfinite(search.value),
            lambda: (search.value, search.grad),
            lambda: jax.value_and_grad(objective)(state.params),
        )

    def compile(self, state: TrainingState) -> tuple[Callable, str]:
        """A compiled function (state, n) -> (state after at most n steps, all were finite).

        It ends before the first step whose loss or update is not finite. Returned with it: the
        program it was compiled from, as text.
        """

        def advance(state, n):
            def proceed(carry):
                _, i, finite = carry
                return (i < n) & finite

            def body(carry):
                state, i, _ = undivided(carry, self.loss.mesh)
                following, finite = self.step(state)
                kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), following, state)
                return undivided(kept, self.loss.mesh), i + 1, finite

            state, _, finite = jax.lax.while_loop(proceed, body, (state, 0, jnp.array(True)))
            return state, finite

        return compile_once(advance, state, 1, mesh=self.loss.mesh)

    def explain_failure(self, state: TrainingState) -> str:
        """Which term was not finite at the step that failed, and what to try."""
        losses = self.losses(state.params, state.points)
        bad = [name for name, value in losses.items() if not jnp.isfinite(value)]
        what = f"loss of {', '.join(bad)}" if bad else "gradient or update of the optimizer"
        return (
            f"not finite: {what} at step {int(state.step) + 1}; the state after step "
            f"{int(state.step)} was kept. Try a smaller learning rate, a longer warm-up, "
            "optax.clip_by_global_norm, or dtype='float64'"
        )


def _is_search(node: PyTree) -> bool:
    return isinstance(node, optax.ScaleByZoomLinesearchState)


def _leaves(optimizer: PyTree) -> list:
    return jax.tree.leaves(optimizer, is_leaf=_is_search)


def _forget_value(optimizer: PyTree, due: jax.Array) -> PyTree:
    """The state with what line searches know of the loss marked as unknown, where it is due."""

    def forget(node):
        return (
            node._replace(value=jnp.where(due, jnp.inf, node.value)) if _is_search(node) else node
        )

    return jax.tree.map(forget, optimizer, is_leaf=_is_search)
