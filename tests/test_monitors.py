"""A row of the history against derivatives of the loss along the optimizer's own direction."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import pinnkit
from pinnkit.alignment import normalized_interference
from pinnkit.history import History
from pinnkit.least_squares import LeastSquares
from pinnkit.monitors import Monitor
from pinnkit.preconditioners import preconditioner
from pinnkit.problems import Condition, Problem
from pinnkit.terms import Loss
from pinnkit.training_step import TrainingStep

NEW = {"alignment/intra/preconditioned", "alignment/inter/preconditioned"}


class Transport(Problem):
    coordinates = ("t", "x")
    domain = {"t": (0.0, 1.0), "x": (0.0, 1.0)}

    def residual(self, field, point):
        u, u_t, u_x = pinnkit.partials(field, point, "u u_t u_x")
        return {"pde": u_t + u * u_x}

    def conditions(self):
        return (
            Condition("initial", {"t": (0.0,)}, lambda u, p: u(p)[0] - jnp.sin(3 * p[1])),
            Condition("boundary", {"x": (0.0, 1.0)}, lambda u, p: u(p)[0]),
        )


def start(optimizer, weights, problem=None):
    problem = Transport() if problem is None else problem
    step = TrainingStep(
        Loss(problem, weights),
        pinnkit.network(problem, width=4, depth=2, dtype="float64"),
        optax.with_extra_args_support(optimizer),
        pinnkit.UniformSampler(interior=6, condition=3),
        jnp.float64,
    )
    return step, step.initial_state(0), Monitor(step)


def check_interference(step, state, row):
    """Against derivatives of each weighted term along each part of the step and along the whole."""
    weight = step.weights(state)
    apply = preconditioner(
        state.optimizer,
        state.params,
        least_squares=LeastSquares(
            step.loss.with_weights(state.weights), step.network, state.points
        ),
    )

    history = History()
    history.append(row)
    names, (matrix,) = history.interference()
    assert set(names) == set(weight) == {"pde", "initial", "boundary"}

    @jax.jit
    def changes(asked):
        """Of the terms along the step that this mixture of them asks for."""

        def losses(params):
            found = step.losses(params, state.points)
            return jnp.stack([weight[n] * found[n] for n in names])

        gradient = jax.grad(lambda p: jnp.vdot(asked, losses(p)))(state.params)
        along = jax.tree.map(jnp.negative, apply(gradient))
        return jax.jvp(losses, (state.params,), (along,))[1]

    expected = np.stack([changes(e) for e in jnp.eye(3)], axis=1)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(matrix, expected, atol=1e-7 * scale)
    np.testing.assert_allclose(matrix.sum(), changes(jnp.ones(3)).sum(), atol=1e-7 * scale)
    assert row["interference/pde/initial"] == matrix[names.index("pde"), names.index("initial")]
    return np.asarray(normalized_interference(jnp.asarray(matrix)))


def test_the_columns_of_soap_from_the_first_row_on():
    """nan until SOAP has a preconditioner, then what the derivatives of the loss say."""
    with jax.enable_x64(True):
        step, state, monitor = start(pinnkit.soap(1e-2), {"initial": 10.0})
        monitor.compile(state)
        advance = jax.jit(step.step)
        for count in range(4):
            row = monitor(state, seconds=0.0)
            new = [v for n, v in row.items() if n in NEW or n.startswith("interference")]
            assert len(new) == 2 + 9
            assert np.isfinite(new).all() if count > 1 else np.isnan(new).all()
            assert np.isnan(row["alignment/inter"]) == (count == 0)
            if count < 3:
                state, _ = advance(state)
        check_interference(step, state, row)
        for kind in ("intra", "inter"):
            after, before = row[f"alignment/{kind}/preconditioned"], row[f"alignment/{kind}"]
            assert -1 <= after <= 1 and abs(after - before) > 1e-3


def test_terms_do_not_interfere_under_gauss_newton_with_more_parameters_than_residuals():
    with jax.enable_x64(True):
        step, state, monitor = start(pinnkit.gauss_newton(damping=1e-8), {"initial": 10.0})
        row = jax.jit(monitor.measure)(state)
        matrix = check_interference(step, state, {n: float(v) for n, v in row.items()})
    np.testing.assert_allclose(matrix, -np.eye(3), atol=1e-3)


def test_gradient_descent_has_the_identity():
    with jax.enable_x64(True):
        _, state, monitor = start(optax.sgd(1e-3, momentum=0.9), {})
        state = state._replace(gradient=state.params)
        row = {n: float(v) for n, v in jax.jit(monitor.measure)(state).items()}
    for kind in ("intra", "inter"):
        assert np.isclose(row[f"alignment/{kind}/preconditioned"], row[f"alignment/{kind}"])
    matrix = [v for n, v in row.items() if n.startswith("interference/")]
    np.testing.assert_allclose(-sum(matrix), row["gradient_norm"] ** 2, rtol=1e-10)


def test_a_single_term_has_no_partner_and_an_unknown_optimizer_no_preconditioner():
    class Alone(Transport):
        def conditions(self):
            return ()

    def columns(optimizer, problem):
        _, state, monitor = start(optimizer, {}, problem)
        row = jax.eval_shape(monitor.measure, state)
        return {n.partition("/")[2] for n in row if n.startswith(("alignment", "interference"))}

    with jax.enable_x64(True):
        assert columns(pinnkit.gauss_newton(), Alone()) == {"inter", "inter/preconditioned"}
        assert columns(optax.lion(1e-3), Transport()) == {"intra", "inter"}
    with pytest.raises(KeyError, match="no column 'interference/pde/pde'"):
        History({"step": [0], "loss/pde": [1.0]}).interference()
