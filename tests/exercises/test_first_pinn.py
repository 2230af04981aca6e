"""Stubs fail, solutions pass, and plausible mistakes are told apart."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import nbformat
import pytest

from pinnkit import exercises

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01_a_first_pinn_by_hand.ipynb"


def _d(u, *argnums):
    for i in argnums:
        u = jax.grad(u, i)
    return u


def _residual(expression):
    """A residual from an expression in u, u_t, u_x, u_xx, u_tt, c and k."""

    def residual(u, t, x):
        names = {"u": u(t, x), "u_t": _d(u, 0)(t, x), "u_x": _d(u, 1)(t, x), "c": 2.0, "k": 0.1}
        return eval(expression, names | {"u_xx": _d(u, 1, 1)(t, x), "u_tt": _d(u, 0, 0)(t, x)})

    return residual


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("u_t + c * u_x - k * u_xx", ""),
        ("u_t + c * u_x + k * u_xx", "sign of the diffusion"),
        ("u_t - c * u_x - k * u_xx", "sign of the advection"),
        ("u_t + c * u_x - u_xx", "factor k"),
        ("u_t + u_x - k * u_xx", "factor c"),
        ("u_t + c * u_x - k * u_tt", "along t"),
        ("u_t + c * u_x - k * u_x", "first order"),
        ("u_x + c * u_t - k * u_xx", "exchanged"),
        ("u_t + u * u_x - k * u_xx", "constant c"),
        ("u_t", "but yours is"),
        ("None", "returns nothing"),
        ("__import__('jax').numpy.ones(3)", r"a scalar, but you return shape \(3,\)"),
        ("u_y", "raised NameError"),
    ],
)
def test_residual(expression, message):
    said = exercises.advection_diffusion.problem_with(_residual(expression))
    assert bool(said) == bool(message) and re.search(message, said)


@pytest.mark.parametrize(
    ("hard", "message"),
    [
        (lambda n, t, x: -jnp.sin(jnp.pi * x) + t * n(t, x), ""),
        (lambda n, t, x: -jnp.sin(jnp.pi * x) * (1 - t) + jnp.tanh(t) * n(t, x), ""),
        (lambda n, t, x: jnp.sin(jnp.pi * x) + t * n(t, x), "sign of the initial state"),
        (lambda n, t, x: -jnp.sin(jnp.pi * x) + n(t, x), "network is still there"),
        (lambda n, t, x: -t * jnp.sin(jnp.pi * x) + n(t, x), "only the network is left"),
        (lambda n, t, x: t * (n(t, x) - jnp.sin(jnp.pi * x)), "everything vanishes"),
        (lambda n, t, x: -jnp.sin(x) + t * n(t, x), "argument pi x"),
        (lambda n, t, x: jnp.cos(jnp.pi * x) + t * n(t, x), r"not -sin\(pi x\)"),
        (lambda n, t, x: -jnp.sin(jnp.pi * x), "no influence"),
        (lambda n, t, x: -jnp.sin(jnp.pi * x) + t**2 * n(t, x), "second order"),
        (lambda n, t, x: -jnp.sin(jnp.pi * x) + t * n(x), "raised TypeError"),
        (lambda n, t, x: jnp.ones(2), "must be a scalar"),
    ],
)
def test_hard_initial_condition(hard, message):
    said = exercises.hard_initial_condition.problem_with(hard)
    assert bool(said) == bool(message) and re.search(message, said)


def _folded_solutions():
    cells = nbformat.read(NOTEBOOK, 4).cells
    text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    folded = re.findall(r"<details>(.*?)</details>", text, flags=re.S)
    return [re.search(r"```python\n(.*?)```", fold, flags=re.S).group(1) for fold in folded]


def _stubs():
    cells = nbformat.read(NOTEBOOK, 4).cells
    return [c.source for c in cells if "raise NotImplementedError" in c.source]


@pytest.mark.parametrize(
    ("name", "position", "function"),
    [
        ("advection_diffusion", 0, "advection_diffusion_residual"),
        ("hard_initial_condition", 1, "hard"),
    ],
)
def test_the_notebook_holds_a_failing_stub_and_a_passing_solution(name, position, function, capsys):
    exercise = getattr(exercises, name)
    scope = {"jax": jax, "jnp": jnp, "c": 2.0, "k": 0.1}
    exec(_folded_solutions()[position], scope)
    exercise.check(scope[function])
    assert capsys.readouterr().out.startswith("Right. ")
    exec(_stubs()[position], scope | {"exercises": exercises})
    assert "nothing to check so far" in capsys.readouterr().out


def test_hints_come_one_by_one(capsys):
    exercise = exercises.Exercise("a task", ("first", "second"), lambda a: "", "good")
    for _ in range(3):
        exercise.hint()
    said = capsys.readouterr().out.splitlines()
    assert said == ["Hint 1 of 2: first", "Hint 2 of 2: second", "Hint 1 of 2: first"]
