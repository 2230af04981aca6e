"""The course for a class: `python tools/handout.py [FOLDER]`, or `make handout`.

Writes to FOLDER (by default build/class)

    handout/     the notebooks without outputs and without solutions
    nbgrader/    a course for nbgrader: source/NN_title/NN_title.ipynb with the solutions, every
                 exercise a cell that students fill in and a cell that grades it

What nbgrader does with it is said in notebooks/README.md.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode, v4

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
CHECK = re.compile(r"^exercises\.(\w+)\.check\((\w+)\)$", re.M)
SOLUTION = re.compile(r"<details>\s*<summary>Solution</summary>.*?</details>\s*", re.S)
CODE = re.compile(r"```python\n(.*?)```", re.S)
CONFIG = '''"""Run nbgrader in this folder."""

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "pinnkit"
c.ExecutePreprocessor.timeout = 900
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError  # your answer"}
'''


@dataclass(frozen=True)
class Task:
    """One exercise of a notebook.

    Attributes:
        name: in `pinnkit.exercises`.
        function: what the reader writes.
        cell: index of the cell with the stub.
        stub: its source, without the check.
        solution: code that defines the function.
    """

    name: str
    function: str
    cell: int
    stub: str
    solution: str


def tasks(notebook: NotebookNode) -> Iterator[Task]:
    """The exercises of a notebook, in order.

    Raises:
        ValueError: a solution is missing.
    """
    for i, cell in enumerate(notebook.cells):
        found = CHECK.search(cell.source) if cell.cell_type == "code" else None
        if found:
            later = (c.source for c in notebook.cells[i:] if c.cell_type == "markdown")
            folded = next((s for s in map(SOLUTION.search, later) if s), None)
            code = folded and CODE.search(folded[0])
            if not code or f"def {found[2]}(" not in code[1]:
                raise ValueError(f"no solution of {found[1]!r} follows cell {i}")
            stub = CHECK.sub("", cell.source).strip()
            yield Task(found[1], found[2], i, stub, code[1].strip())


def handout(notebook: NotebookNode) -> NotebookNode:
    """Without outputs and solutions."""
    blank = v4.reads(v4.writes(notebook))
    blank.metadata.pop("widgets", None)
    for cell in blank.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        else:
            cell.source = SOLUTION.sub("", cell.source).strip()
    blank.cells = [cell for cell in blank.cells if cell.source]
    return blank


def graded(notebook: NotebookNode) -> NotebookNode:
    """With every stub as a cell to fill in, the solution in it, and a cell that grades it."""
    source = v4.reads(v4.writes(notebook))
    by_cell = {task.cell: task for task in tasks(notebook)}
    cells = []
    for i, cell in enumerate(source.cells):
        if cell.cell_type == "markdown":
            cell.source = SOLUTION.sub("", cell.source).strip()
        if i in by_cell:
            task = by_cell[i]
            before = task.stub.partition(f"def {task.function}(")[0]
            answer = re.sub(rf"^def {task.function}\(.*?:\n", "", task.solution, flags=re.S)
            signature = task.solution.removesuffix(answer)
            cell.source = (
                f"{before}{signature}    ### BEGIN SOLUTION\n{answer}\n    ### END SOLUTION"
            )
            cell.metadata["nbgrader"] = _metadata(f"answer-{task.name}", solution=True)
            grade = v4.new_code_cell(
                f"fault = exercises.{task.name}.problem_with({task.function})\n"
                "assert not fault, fault",
                id=f"grade-{i}",
            )
            grade.metadata["nbgrader"] = _metadata(f"grade-{task.name}", grade=True, points=1)
            cells += [cell, grade]
        elif cell.source:
            cells.append(cell)
    source.cells = cells
    return handout(source)


def _metadata(grade_id: str, *, grade: bool = False, solution: bool = False, points: int = 0):
    return {
        "grade": grade,
        "grade_id": grade_id,
        "locked": grade,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    } | ({"points": points} if grade else {})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path("build/class"))
    folder = parser.parse_args().folder
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(path, 4)
        copies = {folder / "handout" / path.name: handout(notebook)}
        if any(tasks(notebook)):
            copies[folder / "nbgrader" / "source" / path.stem / path.name] = graded(notebook)
        for target, copy in copies.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(copy, target)
    (folder / "nbgrader" / "nbgrader_config.py").write_text(CONFIG)
    print(f"handout and nbgrader course are in {folder}")


if __name__ == "__main__":
    main()
