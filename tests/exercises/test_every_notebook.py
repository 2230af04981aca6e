"""In every notebook: stubs fail their check, folded solutions pass it, there are hints enough."""

import ast
import contextlib

import jax
import jax.numpy as jnp
import nbformat
import numpy as np
import pytest

import handout
import pinnkit
from pinnkit import exercises

COURSE = {path.stem: nbformat.read(path, 4) for path in sorted(handout.NOTEBOOKS.glob("*.ipynb"))}
TASKS = [(name, task) for name, notebook in COURSE.items() for task in handout.tasks(notebook)]


def definitions(notebook, task):
    """What the notebook's own cells define for a solution: functions, and the stub's constants."""
    scope = {"np": np, "jnp": jnp, "jax": jax, "pinnkit": pinnkit, "exercises": exercises}
    for i, cell in enumerate(notebook.cells[: task.cell + 1]):
        if cell.cell_type == "code":
            kept = (ast.FunctionDef, ast.Assign) if i == task.cell else ast.FunctionDef
            for node in ast.parse(cell.source).body:
                if isinstance(node, kept) and not getattr(node, "decorator_list", ()):
                    # a default that is a result of the notebook: no solution needs that function
                    with contextlib.suppress(NameError):
                        exec(ast.unparse(node), scope)
    return scope


def test_each_exercise_is_in_one_notebook():
    used = [task.name for _, task in TASKS]
    assert sorted(used) == sorted(set(exercises.__all__) - {"Exercise"})


@pytest.mark.parametrize(("name", "task"), TASKS, ids=[task.name for _, task in TASKS])
def test_the_stub_fails_and_the_solution_passes(name, task):
    scope = definitions(COURSE[name], task)
    exercise = getattr(exercises, task.name)
    assert "nothing to check" in exercise.problem_with(scope[task.function])
    exec(task.solution, scope)
    assert exercise.problem_with(scope[task.function]) == ""
    assert len(exercise.hints) >= 3


@pytest.mark.parametrize("name", COURSE)
def test_two_exercises_or_more(name):
    assert sum(1 for stem, _ in TASKS if stem == name) >= 2


@pytest.mark.parametrize("name", COURSE)
def test_the_handout_tells_no_solution_and_shows_no_output(name):
    blank = handout.handout(COURSE[name])
    text = nbformat.writes(blank)
    assert "Solution</summary>" not in text and '"output_type"' not in text
    assert [c.source for c in blank.cells if c.cell_type == "code"] == [
        c.source for c in COURSE[name].cells if c.cell_type == "code"
    ]


@pytest.mark.parametrize("name", [name for name in COURSE if any(handout.tasks(COURSE[name]))])
def test_in_the_graded_notebook_every_exercise_has_an_answer_and_a_grade(name):
    cells = handout.graded(COURSE[name]).cells
    marked = [c for c in cells if "nbgrader" in c.metadata]
    ids = [c.metadata["nbgrader"]["grade_id"] for c in marked]
    wanted = [task.name for task in handout.tasks(COURSE[name])]
    assert ids == [f"{kind}-{task}" for task in wanted for kind in ("answer", "grade")]
    for cell in marked:
        ast.parse(cell.source)
    assert "Solution</summary>" not in "".join(c.source for c in cells)


def test_a_notebook_without_its_solution_is_refused():
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("def f(x):\n    ...\n\n\nexercises.project.check(f)")]
    )
    with pytest.raises(ValueError, match="no solution of 'project' follows cell 0"):
        list(handout.tasks(notebook))
