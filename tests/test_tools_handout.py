"""The material for a class: what the command writes, and that nbgrader grades with it."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import handout

ROOT = Path(__file__).parents[1]
NAME = "02_two_losses_one_compass"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    subprocess.run([sys.executable, ROOT / "tools" / "handout.py", folder], check=True)
    return folder


def test_every_notebook_is_handed_out(written):
    handed = {p.name for p in (written / "handout").glob("*.ipynb")}
    assert handed == {p.name for p in handout.NOTEBOOKS.glob("*.ipynb")}
    for path in (written / "handout").glob("*.ipynb"):
        nbformat.validate(nbformat.read(path, 4))


@pytest.mark.slow
def test_nbgrader_grades_a_solved_and_an_unsolved_notebook(written):
    pytest.importorskip("nbgrader", reason="needs the extra 'teach'")
    course = written / "nbgrader"

    def nbgrader(*arguments):
        command = [sys.executable, "-m", "nbgrader", *arguments]
        # as in an activated environment: nbgrader calls alembic by its name
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = os.environ | {"PATH": path, "PINNKIT_PRESET": "test", "JAX_PLATFORMS": "cpu"}
        done = subprocess.run(command, cwd=course, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr[-2000:]

    nbgrader("generate_assignment", NAME)
    released = nbformat.read(course / "release" / NAME / f"{NAME}.ipynb", 4)
    text = nbformat.writes(released)
    assert "BEGIN SOLUTION" not in text and "np.linalg.solve(hessian, gradient)" not in text
    solved = nbformat.read(course / "source" / NAME / f"{NAME}.ipynb", 4)
    for student, notebook in (("solved", solved), ("unsolved", released)):
        target = course / "submitted" / student / NAME / f"{NAME}.ipynb"
        target.parent.mkdir(parents=True)
        nbformat.write(notebook, target)
    nbgrader("autograde", NAME)

    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        scores = {s: book.find_submission(NAME, s).score for s in ("solved", "unsolved")}
        most = book.find_assignment(NAME).max_score
    assert most == 2 and scores == {"solved": 2, "unsolved": 0}
