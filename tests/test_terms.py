"""Residuals, losses, weights and points against hand-computed values."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pinnkit
from pinnkit.problems import Burgers, Condition, Problem, Wave
from pinnkit.sampling import UniformSampler
from pinnkit.terms import Loss, residuals, term_names
from pinnkit.weighting import CausalWeights

PROBLEMS = [Burgers(), Wave()]


@dataclass(frozen=True, kw_only=True)
class Heat(Problem):
    """A reader's own problem: u_t = k u_xx, u(0, x) = sin(pi x), u = 0 at the ends."""

    conductivity: float = 0.1
    coordinates = ("t", "x")
    domain = {"t": (0.0, 1.0), "x": (0.0, 1.0)}

    def residual(self, field, point):
        u_t, u_xx = pinnkit.partials(field, point, "u_t u_xx")
        return {"pde": u_t - self.conductivity * u_xx}

    def conditions(self):
        return (
            Condition("initial", {"t": (0.0,)}, lambda u, p: u(p)[0] - jnp.sin(jnp.pi * p[1])),
            Condition("boundary", {"x": (0.0, 1.0)}, lambda u, p: u(p)),
        )


def test_wave_residual_vanishes_on_the_exact_solution():
    def exact(p):
        t, x = p
        return jnp.sin(jnp.pi * x) * jnp.cos(2 * jnp.pi * t) + 0.5 * jnp.sin(
            4 * jnp.pi * x
        ) * jnp.cos(8 * jnp.pi * t)

    problem = Wave()
    with jax.enable_x64(True):
        points = UniformSampler(interior=50, condition=20)(jax.random.key(0), problem, jnp.float64)
        rows = residuals(problem, exact, points)
        wrong = residuals(Wave(speed=2.1), exact, points)
    assert set(rows) == {"pde", "initial", "initial_velocity", "boundary"}
    assert all(np.abs(r).max() < 1e-11 for r in rows.values())
    assert np.abs(wrong["pde"]).max() > 1


def test_burgers_residual_vanishes_on_cole_hopf():
    """The integral, differentiated exactly, solves the equation that the problem states."""
    problem = Burgers(viscosity=0.1)
    with jax.enable_x64(True):
        nodes, weights = map(jnp.asarray, np.polynomial.hermite.hermgauss(200))

        def cole_hopf(p):
            t, x = p
            y = x - jnp.sqrt(4 * problem.viscosity * t) * nodes
            kernel = weights * jnp.exp(-jnp.cos(jnp.pi * y) / (2 * jnp.pi * problem.viscosity))
            return -jnp.sum(kernel * jnp.sin(jnp.pi * y)) / jnp.sum(kernel)

        points = jax.random.uniform(jax.random.key(0), (40, 2), minval=0.1, maxval=0.9)
        field = problem.field(cole_hopf)
        right = jax.vmap(lambda p: problem.residual(field, p)["pde"])(points)
        other = Burgers(viscosity=0.11)
        wrong = jax.vmap(lambda p: other.residual(field, p)["pde"])(points)
    assert np.abs(right).max() < 1e-9
    assert np.abs(wrong).max() > 1e-3


@pytest.mark.parametrize("problem", [*PROBLEMS, Heat()], ids=lambda p: type(p).__name__)
def test_points_lie_where_they_should(problem):
    points = UniformSampler(interior=64, condition=32)(jax.random.key(1), problem, jnp.float32)
    low, high = np.array([problem.domain[c] for c in problem.coordinates]).T
    for array in points.values():
        assert (array >= low).all() and (array <= high).all()
    slots = np.floor(np.sort(np.asarray(points["interior"][:, 0])) * 64).astype(int)
    assert (slots == np.arange(64)).all()
    for condition in problem.conditions():
        for name, values in condition.at.items():
            column = points[condition.name][:, problem.coordinates.index(name)]
            assert set(np.asarray(column).tolist()) == set(values)


def test_loss_is_the_weighted_sum_of_mean_squares():
    problem = Heat()
    loss = Loss(problem, {"initial": 10.0})
    points = UniformSampler(interior=8, condition=4)(jax.random.key(0), problem, jnp.float32)

    def function(p):
        return p[0] + p[1] ** 2

    by_term = loss.by_term(lambda p: function(p)[None], points)
    pde = (1 - 0.1 * 2) ** 2
    p = np.asarray(points["initial"])
    initial = np.mean((p[:, 1] ** 2 - np.sin(np.pi * p[:, 1])) ** 2)
    b = np.asarray(points["boundary"])
    boundary = np.mean((b[:, 0] + b[:, 1] ** 2) ** 2)
    assert loss.terms == ("pde", "initial", "boundary")
    np.testing.assert_allclose(
        [by_term[n] for n in loss.terms], [pde, initial, boundary], rtol=1e-5
    )
    assert np.isclose(loss.total(by_term), pde + 10 * initial + boundary, rtol=1e-5)


def test_gradients_of_the_weighted_terms_add_up():
    problem = Heat()
    loss = Loss(problem, {"initial": 10.0})
    points = UniformSampler(interior=8, condition=4)(jax.random.key(0), problem, jnp.float32)

    def losses(a, points):
        return loss.by_term(lambda p: jnp.sin(a[0] * p[0] + a[1] * p[1])[None], points)

    at = jnp.asarray([0.3, 0.7])
    gradients = loss.gradients_by_term(losses, at, points)
    for name, gradient in gradients.items():
        alone = jax.grad(lambda a, n=name: losses(a, points)[n])(at)
        np.testing.assert_allclose(gradient, alone * (10 if name == "initial" else 1), rtol=1e-4)
    total = jax.grad(lambda a: loss.total(losses(a, points)))(at)
    np.testing.assert_allclose(sum(gradients.values()), total, rtol=1e-4)


def test_other_weights_leave_the_loss_as_it_is():
    loss = Loss(Heat(), {"initial": 10.0}, CausalWeights(), ("boundary",))
    other = jax.jit(lambda w: loss.with_weights({"pde": w}).total({"pde": 3.0, "initial": 1.0}))
    assert other(2.0) == 7.0
    assert loss.total({"pde": 3.0, "initial": 1.0}) == 13.0
    assert loss.with_weights({}).terms == ("pde", "initial")
    assert loss.with_weights({}).causal is loss.causal


def test_hard_conditions_are_left_out():
    assert term_names(Burgers(), skip=("initial",)) == ("pde",)


def test_causal_weights_by_hand():
    causal = CausalWeights(tolerance=0.5, chunks=2)
    times, squares = jnp.asarray([0.1, 0.3, 0.8]), jnp.asarray([2.0, 4.0, 7.0])
    weights = causal(times, squares, (0.0, 1.0))
    np.testing.assert_allclose(weights, [1.0, 1.0, np.exp(-0.5 * 3.0)], rtol=1e-6)
    assert (jax.grad(lambda s: causal(times, s, (0.0, 1.0)).sum())(squares) == 0).all()


def test_causal_loss_favours_early_times():
    problem = Burgers()
    points = UniformSampler()(jax.random.key(0), problem, jnp.float32)
    network = pinnkit.network(problem, width=8)
    plain = Loss(problem).by_term(network, points)
    causal = Loss(problem, causal=CausalWeights(tolerance=100.0)).by_term(network, points)
    assert causal["initial"] == plain["initial"]
    assert 0 < causal["pde"] < plain["pde"]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Burgers(viscosity=-1.0), "viscosity must be positive and finite, got -1.0"),
        (lambda: Burgers(viscosity=float("nan")), "viscosity must be positive"),
        (lambda: Wave(speed=0), "speed must be positive"),
        (lambda: UniformSampler(interior=0), "interior must be a positive number"),
        (
            lambda: UniformSampler(condition=True),
            "condition must be a positive number of points, got",
        ),
        (lambda: CausalWeights(tolerance=0), "tolerance must be positive"),
        (lambda: CausalWeights(chunks=1), "chunks must be an integer >= 2"),
        (lambda: Loss(Burgers(), {"momentum": 1.0}), "unknown loss term 'momentum'.*pde, initial"),
        (lambda: Loss(Burgers(), {"pde": -1.0}), "weight of 'pde' must be positive"),
    ],
)
def test_bad_arguments(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        ({"t": (0.0, 1.0), "x": (1.0, 1.0)}, r"empty or not finite along 'x': got \[1.0, 1.0\]"),
        ({"t": (0.0, 1.0), "x": (0.0, float("inf"))}, "empty or not finite along 'x'"),
        ({"t": (0.0, 1.0)}, "domain must name the coordinates"),
    ],
)
def test_bad_domains(domain, message):
    bad = type("Bad", (Heat,), {"domain": domain})
    with pytest.raises(ValueError, match=message):
        bad()


def test_what_a_problem_does_not_define_is_explained():
    with pytest.raises(NotImplementedError, match="Heat has no reference solution: define"):
        Heat().reference()
    with pytest.raises(NotImplementedError, match="Heat has no hard conditions"):
        Heat().impose(jnp.zeros(2), jnp.zeros(1))
