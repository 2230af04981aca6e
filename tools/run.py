"""Execute a notebook without a browser: `python tools/run.py 11 --preset test --seed 1`.

The notebook stays as it is; a copy with the parameters and all outputs goes to
runs/11_the_optimizer_race_2026-11-26T112030.ipynb, cell by cell: when one fails, or on Ctrl-C,
what was run so far is there. `--set` takes any name that the notebook's first code cell defines.
"""

from __future__ import annotations

import argparse
import ast
import errno
import json
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_core.utils import run_sync
from nbformat import NotebookNode
from papermill.iorw import LocalHandler, papermill_io
from papermill.translators import PythonTranslator, papermill_translators

import notebooks

RUNS = Path(__file__).resolve().parent.parent / "runs"
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Failure(Exception):
    """A run that came to no good end."""


# What is asked for, and whether the notebook has it. Nothing here starts a kernel.


def find(name: str, folder: Path = notebooks.NOTEBOOKS) -> Path:
    """The notebook of this path, name or number.

    Raises:
        ValueError: there is none, or more than one.
    """
    if name.endswith(".ipynb") and Path(name).is_file():
        return Path(name).resolve()
    found = notebooks.select([name.zfill(2)], folder)
    if len(found) > 1:
        stems = ", ".join(path.stem for path in found)
        raise ValueError(f"{name!r} fits several notebooks: give one of {stems}")
    return found[0]


def parameters_of(notebook: NotebookNode) -> dict[str, ast.expr]:
    """What the cell tagged `parameters` assigns, by name.

    Raises:
        ValueError: that cell is not plain Python.
    """
    tagged = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    cell = next(tagged, None)
    try:
        statements = ast.parse(cell.source).body if cell else []
    except SyntaxError as error:
        raise ValueError(
            "needs plain Python in its cell tagged 'parameters'; "
            f"line {error.lineno} is {error.text.strip()!r}"
        ) from None
    found = {}
    for statement in statements:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign) and statement.value:
            targets = [statement.target]
        else:
            continue
        found |= {name: statement.value for target in targets for name in _names(target)}
    return found


def _names(expression: ast.expr) -> list[str]:
    return [node.id for node in ast.walk(expression) if isinstance(node, ast.Name)]


def choose(
    found: dict[str, ast.expr],
    preset: str | None = None,
    seed: int | None = None,
    problem: str | None = None,
    settings: Sequence[str] = (),
) -> dict:
    """The values of a notebook's parameters that differ from its own.

    Args:
        found: the notebook's `parameters_of`.
        preset: "test", "laptop" or "gpu".
        seed: where the notebook takes several `seeds`, the only one of them.
        problem: a class of pinnkit.problems.
        settings: others, each as "NAME=VALUE".

    Raises:
        ValueError: the notebook has no such parameter, or it cannot have such a value.
    """
    given = [("preset", preset), ("problem", problem)]
    if seed is not None:
        several = "seeds" in found and "seed" not in found
        given.append(("seeds", (seed,)) if several else ("seed", seed))
    chosen = {}
    for name, value in [*((n, v) for n, v in given if v is not None), *map(_split, settings)]:
        if name not in found:
            has = ", ".join(found) or "none"
            raise ValueError(f"has no parameter {name!r}; it has: {has}")
        if name in chosen:
            raise ValueError(f"is given {name!r} twice: {chosen[name]!r} and {value!r}")
        chosen[name] = _value(name, value, found[name]) if isinstance(value, str) else value
    _check_reach(found, chosen)
    return chosen


def _split(setting: str) -> tuple[str, str]:
    name, equals, value = setting.partition("=")
    if not equals:
        raise ValueError(f"cannot take --set {setting}: expected NAME=VALUE, such as seed=1")
    return name.strip(), value


def _value(name: str, text: str, default: ast.expr):
    """What the text stands for: itself where the notebook has a text, else a Python value."""
    if name in ("preset", "problem"):
        return _known(name, text)
    if isinstance(default, ast.Constant) and isinstance(default.value, str):
        return text
    try:
        value = ast.literal_eval(text)
        json.dumps(value, allow_nan=False)  # papermill keeps it in the notebook
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise ValueError(
            f"cannot take {name}={text}: expected a Python value such as 1, 0.5, (1, 2) or "
            f"'text'; the notebook has {name} = {ast.unparse(default)}"
        ) from None
    return value


def _known(name: str, value: str) -> str:
    """The value, if it is the name of a preset or a problem."""
    if name == "preset":
        from pinnkit.solve import PRESETS as known
    else:
        from pinnkit.problems import BENCHMARKS

        known = sorted(BENCHMARKS)
    if value not in known:
        raise ValueError(f"takes no {name} {value!r}: expected one of: {', '.join(known)}")
    return value


def _check_reach(found: dict[str, ast.expr], chosen: dict) -> None:
    """Values are put in after the cell of parameters: what it computes from them stays as it was.

    Only the preset comes in before, by PINNKIT_PRESET.
    """
    for name in chosen:
        if name == "preset" and "preset_from_environment" in ast.unparse(found[name]):
            continue
        for other, value in found.items():
            if other not in chosen and name in _names(value):
                raise ValueError(
                    f"computes {other!r} from {name!r} in its cell of parameters, where a new "
                    f"{name!r} comes too late; add --set {other}=VALUE, or let the notebook "
                    f"compute {other!r} in a later cell"
                )


# The run.


def execute(path: Path, output: Path, chosen: dict) -> None:
    """Run a notebook's copy at `output`, and save it there after every cell.

    Raises:
        Failure: a cell failed, the kernel died, or the copy could not be saved.
    """
    papermill_io.register(str(output.parent), WholeFiles())
    papermill_translators.register("python", Literals)
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # on what an interrupt leaves undone
    template = str(output).replace("{", "{{").replace("}", "}}")  # what papermill makes of a path
    with tempfile.TemporaryDirectory() as profile:
        environment = {k: v for k, v in os.environ.items() if k not in notebooks.PERSONAL}
        environment["IPYTHONDIR"] = profile
        if "preset" in chosen:
            environment["PINNKIT_PRESET"] = chosen["preset"]
        try:
            with _kernels(environment) as kernel:
                papermill.execute_notebook(
                    template,
                    template,
                    chosen,
                    kernel_name="python3",
                    language="python",
                    cwd=path.parent,
                    kernel_manager_class=kernel,
                    extra_arguments=["--log-level=CRITICAL"],
                )
        except papermill.PapermillExecutionError as error:
            lines = f"{error.ename}: {error.evalue}".splitlines()
            raise Failure(f"In [{error.exec_count}] failed: {lines[0]}") from None
        except RuntimeError as error:
            raise Failure(f"the kernel died ({error}), perhaps for want of memory") from None


@contextmanager
def _kernels(environment: dict[str, str]) -> Iterator[type[AsyncKernelManager]]:
    """A class of kernels that run this Python in this environment, none of which is left over."""
    started = []

    class Kernel(AsyncKernelManager):
        def __init__(self, **options):
            # no folders: whatever kernels the user may have registered
            super().__init__(**options, kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))

        async def start_kernel(self, **options):
            started.append(self)
            await super().start_kernel(**options, env=environment)

    try:
        yield Kernel
    finally:
        for kernel in started:
            if kernel.has_kernel:
                run_sync(kernel.shutdown_kernel)(now=True)


class WholeFiles(LocalHandler):
    """Saves a notebook whole or not at all: on a full disk, what was saved before stays."""

    def write(self, buf, path):
        _save(Path(path), buf)


class Literals(PythonTranslator):
    """Writes every value as Python does: papermill's own makes a tuple a text."""

    @classmethod
    def translate(cls, val):
        return repr(val)


def begin(path: Path, notebook: NotebookNode, folder: Path) -> Path:
    """Save the notebook under a dated name that no other run has; return where.

    Raises:
        Failure: it cannot be saved.
    """
    for of_another_run in ("widgets", notebooks.RUN):
        notebook.metadata.pop(of_another_run, None)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None
    while True:
        output = folder / f"{path.stem}_{datetime.now():%Y-%m-%dT%H%M%S}.ipynb"
        try:
            output.touch(exist_ok=False)
            break
        except FileExistsError:  # of a run that began in the same second
            time.sleep(0.1)
        except OSError as error:
            raise _unwritable(output, error) from None
    try:
        _save(output, nbformat.writes(notebook))
    except Failure:
        output.unlink()
        raise
    return output


def _save(path: Path, text: str) -> None:
    try:
        notebooks._write(path, text)
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> Failure:
    advice = "make room, or " if error.errno == errno.ENOSPC else ""
    return Failure(
        f"cannot write {_shown(path)}: {error.strerror or error}; "
        f"{advice}name another folder with --out"
    )


# The command.


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Ctrl-C, or SIGTERM, interrupts once; another would leave the kernel behind."""

    def stop(number, frame):
        for other in SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Execute a notebook, with parameters.")
    parser.add_argument("notebook", metavar="NOTEBOOK", help="number, name or path, such as 11")
    parser.add_argument("--preset", help="test, laptop or gpu")
    parser.add_argument("--seed", type=int, help="the seed; where there are several, the only one")
    parser.add_argument("--problem", help="a class of pinnkit.problems, such as Wave")
    parser.add_argument(
        "--set", metavar="NAME=VALUE", action="append", default=[], help="any other parameter"
    )
    parser.add_argument("--out", metavar="FOLDER", type=Path, default=RUNS, help="default: runs/")
    options = parser.parse_args(arguments)
    try:
        path = find(options.notebook)
    except ValueError as error:
        parser.error(str(error))
    try:
        notebook = nbformat.read(path, 4)
    except (OSError, ValueError) as error:
        parser.error(f"cannot read {path.name}: {error}")
    try:
        found = parameters_of(notebook)
        chosen = choose(found, options.preset, options.seed, options.problem, options.set)
        if "preset" in found:
            _known("preset", chosen.get("preset") or os.environ.get("PINNKIT_PRESET", "laptop"))
    except ValueError as error:
        parser.error(f"notebook {path.stem} {error}")
    output, started = None, time.perf_counter()
    try:
        with _stopped_by_signals():
            output = begin(path, notebook, options.out.resolve())
            execute(path, output, chosen)
    except (Failure, OSError, KeyboardInterrupt) as error:
        so_far = f"; what was run so far is in {_shown(output)}" if output else ""
        print(f"{path.stem}: {str(error) or 'interrupted'}{so_far}", file=sys.stderr)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    print(f"{_shown(output)}  {time.perf_counter() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
