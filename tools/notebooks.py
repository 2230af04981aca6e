"""Execute the notebooks afresh, or check what is committed: `python tools/notebooks.py 00 01`.

Each runs top to bottom in a clean kernel and is written back in a normal form, whole or not at
all: when a cell fails, the file stays as it was. `--check` executes nothing and lists what is
wrong with the notebooks as they are.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import hashlib
import html
import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode, v4

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
SIZE_LIMIT = 1_000_000
WIDGET_STATE_LIMIT = 200_000
CELL_METADATA = {"tags", "jupyter", "editable", "deletable", "slideshow"}
VIEW = "application/vnd.jupyter.widget-view+json"
RUN = "pinnkit"
"""Metadata of the last execution: its preset, and the wall seconds it took."""
STATE = "application/vnd.jupyter.widget-state+json"
# Settings of the person at the keyboard that would change what a kernel does.
PERSONAL = ("MPLBACKEND", "MATPLOTLIBRC", "PYTHONPATH", "PYTHONSTARTUP")


def select(names: Sequence[str], folder: Path) -> list[Path]:
    """The notebooks of these numbers or names, in reading order; without names, all.

    Raises:
        ValueError: a name fits no notebook.
    """
    notebooks = sorted(folder.glob("*.ipynb"))
    wanted = set(notebooks)
    if names:
        wanted = set()
        for name in names:
            fitting = {p for p in notebooks if Path(name).name in _names(p)}
            if not fitting:
                available = ", ".join(p.stem for p in notebooks) or "none"
                raise ValueError(f"no notebook {name!r} in {folder.name}/; there are: {available}")
            wanted |= fitting
    return [p for p in notebooks if p in wanted]


def _names(path: Path) -> tuple[str, str, str]:
    return path.name, path.stem, path.stem.split("_")[0]


# Execution.


def execute(path: Path, preset: str) -> float:
    """Run a notebook and write it back; return its wall seconds.

    Raises:
        Failure: it was not written, and why.
    """
    notebook = v4.reads(path.read_text(encoding="utf-8"))
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as profile:
        environment = {k: v for k, v in os.environ.items() if k not in PERSONAL}
        environment |= {"PINNKIT_PRESET": preset, "IPYTHONDIR": profile}
        _run_cells(normalise(notebook, path.stem), path, environment)
    seconds = time.perf_counter() - started
    notebook.metadata[RUN] = {"preset": preset, "seconds": round(seconds, 1)}
    text = nbformat.writes(normalise(notebook, path.stem)) + "\n"
    if fault := _oversize(text, notebook):
        raise Failure(fault)
    _write(path, text)
    return seconds


class Failure(Exception):
    """A notebook that cannot be written."""


def _run_cells(notebook: NotebookNode, path: Path, environment: dict[str, str]) -> None:
    at, interrupted = 0, False

    def remember(cell, cell_index):
        nonlocal at
        at = cell_index

    def obey_signals(notebook):
        running = asyncio.current_task()

        def stop():
            nonlocal interrupted
            interrupted = True
            running.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop)

    # The kernel is the Python that runs this, whatever kernels the user may have registered.
    kernel = AsyncKernelManager(
        kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[])
    )
    client = NotebookClient(
        notebook,
        km=kernel,
        timeout=None,
        extra_arguments=["--log-level=CRITICAL"],
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_start=remember,
        on_notebook_start=obey_signals,
    )
    try:
        asyncio.run(client.async_execute(cleanup_kc=True, env=environment))
    except CellExecutionError as error:
        raise Failure(f"cell {at} failed:\n{_uncoloured(error.traceback)}") from None
    except (RuntimeError, asyncio.CancelledError) as error:
        if interrupted:
            raise KeyboardInterrupt from None
        raise Failure(f"the kernel died in cell {at}: {error}") from None


def _uncoloured(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


# The normal form.


def normalise(notebook: NotebookNode, name: str) -> NotebookNode:
    """Bring a notebook into the form in which it is committed, in place; running twice is once.

    Args:
        notebook: as read, or as executed.
        name: what the names of its widgets are derived from.
    """
    widgets = notebook.metadata.get("widgets", {})
    measured = {RUN: notebook.metadata[RUN]} if RUN in notebook.metadata else {}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
        | measured
    )
    _settle_widgets(notebook, widgets.get(STATE, {}).get("state", {}), name)
    ids = {cell.get("id") for cell in notebook.cells}
    seen = set()
    for number, cell in enumerate(notebook.cells):
        if cell.get("id") is None or cell.id in seen:
            cell.id = _free(f"cell-{number:02d}", ids)
            ids.add(cell.id)
        seen.add(cell.id)
        cell.metadata = NotebookNode({k: v for k, v in cell.metadata.items() if k in CELL_METADATA})
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
    return notebook


def _free(wish: str, taken: set[str]) -> str:
    while wish in taken:
        wish += "-"
    return wish


def _joined(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Neighbouring pieces of one stream as one, showing what a terminal would show at the end."""
    joined = []
    for output in outputs:
        stream = output.get("name")
        if stream and joined and joined[-1].get("name") == stream:
            joined[-1].text += output.text
        else:
            joined.append(output)
    for output in joined:
        if "text" in output:
            output.text = overwritten(output.text)
    return [o for o in joined if o.get("name") != "stderr" or o.text.strip()]


def overwritten(text: str) -> str:
    """Each line after its carriage returns: a progress bar in its last state."""
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


def _settle_widgets(notebook: NotebookNode, state: dict, name: str) -> None:
    """Keep the widgets that outputs show, under names that do not change from run to run.

    A progress bar becomes a line of text. A view without a model would be shown as an error, so it
    gives way to the text or picture beside it; so do all if the models are too large to keep.
    """
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    shown: dict[str, str] = {}
    for output in outputs:
        model = output.get("data", {}).get(VIEW, {}).get("model_id")
        if bar := _progress_bar(model, state):
            output.clear()
            output.update(v4.new_output("stream", name="stdout", text=bar))
        elif model in state:
            _collect(model, state, shown, name)
    used = {model: _short_layout(state[model]) for model in shown}
    text = json.dumps(used, sort_keys=True)
    if len(text) > WIDGET_STATE_LIMIT:
        shown, text = {}, "{}"
    if shown:
        pattern = re.compile("|".join(map(re.escape, shown)))
        models = json.loads(pattern.sub(lambda found: shown[found[0]], text))
        bundle = {"state": models, "version_major": 2, "version_minor": 0}
        notebook.metadata["widgets"] = nbformat.from_dict({STATE: bundle})
    for output in outputs:
        if view := output.get("data", {}).get(VIEW):
            if view.get("model_id") in shown:
                view["model_id"] = shown[view["model_id"]]
            else:
                del output.data[VIEW]


def _collect(model: str, state: dict, shown: dict[str, str], name: str) -> None:
    """Name a model and all that it refers to, in the order in which they are met."""
    if model in shown or model not in state:
        return
    shown[model] = hashlib.sha256(f"{name} {len(shown)}".encode()).hexdigest()[:32]
    for other in re.findall(r"IPY_MODEL_(\w+)", json.dumps(state[model], sort_keys=True)):
        _collect(other, state, shown, name)


def _short_layout(model: dict) -> dict:
    """A layout without what it leaves open: dozens of nulls."""
    if model["model_name"] != "LayoutModel":
        return model
    return {**model, "state": {k: v for k, v in model["state"].items() if v is not None}}


def _progress_bar(model: str | None, state: dict) -> str:
    """The text of tqdm's widget, if it is one."""
    if model not in state:
        return ""
    children = [c.removeprefix("IPY_MODEL_") for c in state[model]["state"].get("children", [])]
    parts = [state[child] for child in children if child in state]
    if [p["model_name"] for p in parts] != ["HTMLModel", "FloatProgressModel", "HTMLModel"]:
        return ""
    left, _, right = (html.unescape(str(p["state"]["value"])).split() for p in parts)
    return " ".join([*left, *right]) + "\n"


# The check.


def find_faults(path: Path) -> list[str]:
    """What is wrong with a notebook as it is committed, a sentence each."""
    text = path.read_text(encoding="utf-8")
    try:
        notebook = v4.reads(text)
        normal = normalise(copy.deepcopy(notebook), path.stem)
        nbformat.validate(normal)
    except Exception as error:  # whatever is raised by what is no notebook
        return [f"is not a notebook: {type(error).__name__}: {str(error).splitlines()[0]}"]
    faults = [*_differences(notebook, normal), *_count_faults(notebook)]
    if fault := _oversize(text, notebook):
        faults.append(fault)
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            tolerant = "raises-exception" in cell.metadata.get("tags", [])
            faults += [f"cell {number} {f}" for o in cell.outputs for f in _faults_of(o, tolerant)]
        elif re.search(r"!\[\s*\]\(|<img(?![^>]*\balt=[\"'][^\"'])", cell.source):
            faults.append(f"cell {number} has a picture without alt text")
    return faults


def _faults_of(output: NotebookNode, tolerant: bool) -> Iterator[str]:
    if output.output_type == "error" and not tolerant:
        yield f"failed: {output.ename}: {output.evalue}"
    data, metadata = output.get("data", {}), output.get("metadata", {})
    images = [kind for kind in data if kind.startswith("image/")]
    for kind in images:
        if not str(metadata.get(kind, {}).get("alt", "")).strip():
            yield f'shows {kind} without alt text: expected metadata["{kind}"]["alt"]'
    if VIEW in data and "text/plain" not in data and not images:
        yield "shows a widget without a text or a picture to stand for it"


def _count_faults(notebook: NotebookNode) -> Iterator[str]:
    cells = [c for c in notebook.cells if c.cell_type == "code" and c.source.strip()]
    counts = [cell.execution_count for cell in cells]
    if counts != list(range(1, len(cells) + 1)):
        yield f"was not run once from top to bottom: its cells are numbered {counts}"


def _oversize(text: str, notebook: NotebookNode) -> str:
    size = len(text.encode())
    if size < SIZE_LIMIT:
        return ""
    code = [(len(json.dumps(c.outputs)), i) for i, c in enumerate(notebook.cells) if "outputs" in c]
    largest, cell = max(code, default=(0, 0))
    return (
        f"has {size:,} bytes, expected less than {SIZE_LIMIT:,}; "
        f"the largest output, {largest:,}, is that of cell {cell}"
    )


def _differences(found, expected, where: str = "") -> Iterator[str]:
    """Where two nested structures differ."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in sorted({*found, *expected}):
            place = f"{where}.{key}".lstrip(".")
            if key not in expected:
                yield f"has {place}, which the normal form has not"
            elif key not in found:
                yield f"lacks {place}"
            else:
                yield from _differences(found[key], expected[key], place)
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for number, pair in enumerate(zip(found, expected, strict=True)):
            yield from _differences(*pair, f"{where}[{number}]")
    elif found != expected:
        yield f"has {where} = {_short(found)}, expected {_short(expected)}"


def _short(value) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# The command.


def main(arguments: Sequence[str] | None = None, folder: Path = NOTEBOOKS) -> int:
    parser = argparse.ArgumentParser(description="Execute the notebooks, or check them.")
    parser.add_argument("names", nargs="*", help="numbers or names, such as 00; all by default")
    parser.add_argument("--preset", default="laptop", help="the kernel's PINNKIT_PRESET")
    parser.add_argument("--check", action="store_true", help="execute nothing, list what is wrong")
    options = parser.parse_args(arguments)
    try:
        paths = select(options.names, folder)
    except ValueError as error:
        parser.error(str(error))
    failed = False
    for path in paths:
        line = f"{path.stem:40}"
        try:
            if not options.check:
                line += f"{execute(path, options.preset):7.1f} s"
            faults = find_faults(path)
        except Failure as failure:
            faults = [f"stays as it was: {failure}"]
        except KeyboardInterrupt:
            print(f"interrupted: {path.name} stays as it was", file=sys.stderr)
            return 130
        failed = failed or bool(faults)
        print(line.rstrip(), flush=True)
        for fault in faults:
            print(f"{path.name} {fault}", file=sys.stderr, flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
