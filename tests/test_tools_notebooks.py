"""Notebooks are run in a clean kernel and written in one form, or left alone; faults are named."""

import copy
import json
import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from nbformat import v4

import notebooks
from notebooks import STATE, VIEW

# One white pixel.
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAG7buVgAAAABJRU5ErkJggg=="
)


def write(folder, name, *sources, tags=()):
    """A notebook that was never run, as an editor may leave it."""
    cells = [v4.new_markdown_cell("# A title")]
    cells += [v4.new_code_cell(s, metadata={"tags": list(tags)}) for s in sources]
    metadata = {"kernelspec": {"name": "elsewhere", "display_name": "Python 3.9"}, "author": "me"}
    path = folder / f"{name}.ipynb"
    nbformat.write(v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


def read(path):
    return v4.reads(path.read_text())


def text_of(cell):
    return "".join(o.get("text", "") or o.data["text/plain"] for o in cell.outputs)


def only_notebooks_in(folder):
    return all(path.suffix == ".ipynb" for path in folder.iterdir())


# Execution.


def test_runs_top_to_bottom_with_the_preset_in_its_own_folder(tmp_path, capsys, monkeypatch):
    startup = tmp_path / "startup.py"
    startup.write_text("surprise = 1")
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setenv("PYTHONSTARTUP", str(startup))
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("PINNKIT_PRESET", "gpu")
    path = write(
        folder,
        "00_first",
        "import os, sys\nprint(os.environ['PINNKIT_PRESET'], os.environ.get('MPLBACKEND'))",
        "",
        "print(os.getcwd(), sys.executable, 'surprise' in globals())",
        "from tqdm import tqdm\nfrom tqdm.auto import tqdm as auto\n"
        "for _ in tqdm(range(3)): pass\nfor _ in auto(range(3), desc='fit'): pass",
        f"from IPython.display import display\n_ = display({{'image/png': '{PIXEL}'}}, raw=True, "
        "metadata={'image/png': {'alt': 'a white pixel'}})\n6 * 7",
    )
    assert notebooks.main(["--preset", "test"], folder) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("00_first ") and line.endswith(" s")

    _, first, empty, third, bars, picture = read(path).cells
    preset, backend = text_of(first).split()
    assert preset == "test" and backend != "agg"
    assert text_of(third).split() == [str(folder), sys.executable, "False"]
    assert [c.execution_count for c in (first, empty, third)] == [1, None, 2]
    terminal, widget = text_of(bars).splitlines()
    assert terminal.startswith("100%|") and widget.startswith("fit: 100% 3/3 [")
    assert picture.outputs[-1].data["text/plain"] == "42"
    assert notebooks.find_faults(path) == []
    assert only_notebooks_in(folder)


def test_a_failing_cell_leaves_the_file_as_it_was(tmp_path, capsys):
    bad = write(tmp_path, "00_bad", "1 + 1", "def f(x):\n    return 1 / x\nf(0)")
    good = write(tmp_path, "01_good", "raise ValueError('on purpose')", tags=["raises-exception"])
    before = bad.read_bytes()
    assert notebooks.main([], tmp_path) == 1
    assert bad.read_bytes() == before
    printed = capsys.readouterr()
    assert "00_bad.ipynb stays as it was: cell 2 failed:" in printed.err
    assert "ZeroDivisionError: division by zero" in printed.err
    assert "return 1 / x" in printed.err and "\x1b" not in printed.err
    assert notebooks.find_faults(good) == []
    assert read(good).cells[1].outputs[0].evalue == "on purpose"
    assert only_notebooks_in(tmp_path)


def test_a_dying_kernel_leaves_the_file_as_it_was(tmp_path, capsys):
    path = write(tmp_path, "00_dies", "import os", "os._exit(1)")
    before = path.read_bytes()
    assert notebooks.main([], tmp_path) == 1
    assert path.read_bytes() == before
    assert "stays as it was: the kernel died in cell 2" in capsys.readouterr().err


def test_too_large_a_result_leaves_the_file_as_it_was(tmp_path, capsys):
    path = write(tmp_path, "00_large", "print(1)", "print('x' * 1_000_000)")
    before = path.read_bytes()
    assert notebooks.main([], tmp_path) == 1
    assert path.read_bytes() == before
    assert "expected less than 1,000,000; the largest output, 1,000," in capsys.readouterr().err


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_the_file_as_it_was_and_no_kernel(tmp_path, sent):
    path = write(
        tmp_path,
        "00_long",
        "import os, pathlib, time\n"
        "pathlib.Path('new').write_text(str(os.getpid()))\nos.rename('new', 'pid')\n"
        "time.sleep(600)",
    )
    before = path.read_bytes()
    script = (
        "import sys, pathlib, notebooks\nsys.exit(notebooks.main([], pathlib.Path(sys.argv[1])))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path],
        env=os.environ | {"PYTHONPATH": os.path.dirname(notebooks.__file__)},
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for((tmp_path / "pid").exists)
    process.send_signal(sent)
    _, printed = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted: 00_long.ipynb stays as it was" in printed
    assert path.read_bytes() == before
    assert "Traceback" not in printed
    kernel = int((tmp_path / "pid").read_text())
    wait_for(lambda: not os.path.exists(f"/proc/{kernel}"))


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# Selection.


@pytest.mark.parametrize(
    ("names", "stems"),
    [
        ([], ["00_start", "01_next", "01_other"]),
        (["01"], ["01_next", "01_other"]),
        (["01_other", "00"], ["00_start", "01_other"]),
        (["notebooks/00_start.ipynb"], ["00_start"]),
    ],
)
def test_selection_is_in_reading_order(tmp_path, names, stems):
    for stem in ("01_other", "00_start", "01_next"):
        write(tmp_path, stem)
    assert [path.stem for path in notebooks.select(names, tmp_path)] == stems


def test_an_unknown_name_lists_what_there_is(tmp_path, capsys):
    with pytest.raises(ValueError, match=r"no notebook '7' in .*/; there are: none"):
        notebooks.select(["7"], tmp_path)
    write(tmp_path, "00_start")
    write(tmp_path, "01_next")
    with pytest.raises(SystemExit) as stopped:
        notebooks.main(["00", "0"], tmp_path)
    assert stopped.value.code == 2
    assert "no notebook '0' in" in (printed := capsys.readouterr().err)
    assert "there are: 00_start, 01_next" in printed


# The normal form.


def good():
    """A notebook without a fault, with one output of each kind."""
    code = [
        v4.new_code_cell(
            "print('a')", execution_count=1, outputs=[v4.new_output("stream", text="a\n")]
        ),
        v4.new_code_cell(
            "plot()",
            execution_count=2,
            outputs=[
                v4.new_output(
                    "display_data",
                    {"image/png": PIXEL, "text/plain": "<Figure>"},
                    metadata={"image/png": {"alt": "a white pixel"}},
                )
            ],
        ),
        v4.new_code_cell(
            "slider()",
            execution_count=3,
            outputs=[
                v4.new_output("execute_result", view("c" * 32, text="Slider()"), execution_count=3)
            ],
        ),
    ]
    title = v4.new_markdown_cell("# Title\n\n![a curve](curve.png)\n<img alt='a curve' src='c'>")
    notebook = v4.new_notebook(cells=[title, *code], metadata={"widgets": {STATE: models("abc")}})
    return notebooks.normalise(notebook, "00_good")


def view(model, **others):
    data = {VIEW: {"model_id": model, "version_major": 2, "version_minor": 0}}
    return data | {f"text/{kind.replace('text', 'plain')}": text for kind, text in others.items()}


def models(letters):
    """A widget whose model refers to those before it, and one that nothing shows."""
    ids = [letter * 32 for letter in letters]
    state = {
        model: {
            "model_name": "LayoutModel" if i == 0 else "BoxModel",
            "model_module": "@jupyter-widgets/base",
            "model_module_version": "2.0.0",
            "state": {"children": [f"IPY_MODEL_{m}" for m in ids[:i]], "width": None},
        }
        for i, model in enumerate(ids)
    }
    state["f" * 32] = state[ids[0]]
    return {"state": state, "version_major": 2, "version_minor": 0}


def stored(folder, notebook):
    path = folder / "00_good.ipynb"
    path.write_text(nbformat.writes(notebook) + "\n")
    return path


def test_a_good_notebook_has_no_fault(tmp_path):
    assert notebooks.find_faults(stored(tmp_path, good())) == []
    assert notebooks.main(["--check"], tmp_path) == 0


def messy():
    notebook = good()
    notebook.nbformat_minor = 4
    notebook.metadata |= {"papermill": {"duration": 3.1}, "kernelspec": {"name": "mine"}}
    notebook.metadata.language_info.version = "3.9.1"
    del notebook.cells[0]["id"]
    notebook.cells[2]["id"] = notebook.cells[1]["id"] = "cell-00"
    notebook.cells[1].metadata = {
        "tags": ["parameters"],
        "jupyter": {"source_hidden": True},
        "execution": {"iopub.execute_input": "2025-01-01T00:00:00Z"},
        "scrolled": True,
    }
    notebook.cells[1].outputs = [
        v4.new_output("stream", name="stderr", text="\r  0%|   | 0/9"),
        v4.new_output("stream", name="stderr", text="\r100%|###| 9/9\n"),
        v4.new_output("stream", name="stdout", text="one\n"),
        v4.new_output("stream", name="stdout", text="two\n"),
        v4.new_output("stream", name="stderr", text="\r gone \r      \r"),
    ]
    return nbformat.from_dict(json.loads(json.dumps(notebook)))


def test_the_normal_form_drops_what_differs_from_run_to_run():
    notebook = notebooks.normalise(messy(), "00_good")
    assert notebook.metadata.keys() == {"kernelspec", "language_info", "widgets"}
    assert notebook.metadata.kernelspec.display_name == "Python 3"
    assert notebook.metadata.language_info == {"name": "python"}
    assert notebook.cells[1].metadata == {
        "tags": ["parameters"],
        "jupyter": {"source_hidden": True},
    }
    assert [(o.name, o.text) for o in notebook.cells[1].outputs] == [
        ("stderr", "100%|###| 9/9\n"),
        ("stdout", "one\ntwo\n"),
    ]
    ids = [cell.id for cell in notebook.cells]
    assert ids[1] == "cell-00" and len(set(ids)) == len(ids)
    nbformat.validate(notebook)


@pytest.mark.parametrize("make", [good, messy])
def test_the_normal_form_of_the_normal_form_is_itself(make):
    once = notebooks.normalise(make(), "00_good")
    assert notebooks.normalise(copy.deepcopy(once), "00_good") == once


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ntext\n", "plain\ntext\n"),
        ("\r 10%\r 20%\r100%\n", "100%\n"),
        ("\r 10%\r100%", "100%"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("kept\n\rold\r\rnew\nafter\r", "kept\nnew\nafter"),
        ("", ""),
    ],
)
def test_carriage_returns_leave_the_last_state(text, shown):
    assert notebooks.overwritten(text) == shown
    assert notebooks.overwritten(shown) == shown


def with_models(letters):
    """The good notebook as another run would leave it, with other random model names."""
    notebook = good()
    notebook.metadata.widgets = nbformat.from_dict({STATE: models(letters)})
    notebook.cells[3].outputs[0].data = nbformat.from_dict(view(letters[-1] * 32, text="Slider()"))
    return notebook


def test_widgets_keep_their_names_from_run_to_run():
    first, second = (
        notebooks.normalise(with_models(letters), "00_good") for letters in ("012", "201")
    )
    for cell in first.cells + second.cells:
        cell.id = "any"
    assert first == second
    state = first.metadata.widgets[STATE].state
    assert len(state) == 3  # what no output shows is dropped
    (shown,) = [o.data[VIEW].model_id for o in first.cells[3].outputs]
    children = state[shown].state.children
    assert {c.removeprefix("IPY_MODEL_") for c in children} == state.keys() - {shown}


def test_a_view_without_its_model_gives_way_to_the_text():
    notebook = with_models("012")
    del notebook.metadata["widgets"]
    assert notebooks.normalise(notebook, "00_good").cells[3].outputs[0].data == {
        "text/plain": "Slider()"
    }


def test_models_too_large_to_keep_are_dropped_with_their_views():
    notebook = with_models("012")
    model = notebook.metadata.widgets[STATE].state["1" * 32]
    model.state.value = "x" * notebooks.WIDGET_STATE_LIMIT
    notebook = notebooks.normalise(notebook, "00_good")
    assert "widgets" not in notebook.metadata
    assert notebook.cells[3].outputs[0].data.keys() == {"text/plain"}


# The check.


def change(where, value):
    def apply(notebook):
        *parents, last = where
        for key in parents:
            notebook = notebook[key]
        notebook[last] = nbformat.from_dict(value)

    return apply


FAULTS = {
    "kernel": (
        change(("metadata", "kernelspec", "display_name"), "conda env"),
        "has metadata.kernelspec.display_name = 'conda env', expected 'Python 3'",
    ),
    "version": (
        change(("metadata", "language_info", "version"), "3.11"),
        "has metadata.language_info.version, which the normal form has not",
    ),
    "timing": (
        change(("cells", 1, "metadata", "execution"), {}),
        "has cells[1].metadata.execution, which the normal form has not",
    ),
    "no kernel": (lambda n: n.metadata.pop("kernelspec"), "lacks metadata.kernelspec"),
    "order": (
        change(("cells", 2, "execution_count"), 7),
        "was not run once from top to bottom: its cells are numbered [1, 7, 3]",
    ),
    "not run": (
        change(("cells", 1, "execution_count"), None),
        "was not run once from top to bottom: its cells are numbered [None, 2, 3]",
    ),
    "error": (
        change(
            ("cells", 1, "outputs"),
            [v4.new_output("error", ename="KeyError", evalue="'x'", traceback=[])],
        ),
        "cell 1 failed: KeyError: 'x'",
    ),
    "no alt text": (
        change(("cells", 2, "outputs", 0, "metadata"), {}),
        'cell 2 shows image/png without alt text: expected metadata["image/png"]["alt"]',
    ),
    "empty alt text": (
        change(("cells", 2, "outputs", 0, "metadata", "image/png", "alt"), "  "),
        'cell 2 shows image/png without alt text: expected metadata["image/png"]["alt"]',
    ),
    "prose without alt text": (
        change(("cells", 0, "source"), "![](curve.png)"),
        "cell 0 has a picture without alt text",
    ),
    "html without alt text": (
        change(("cells", 0, "source"), "<img src='curve.png' alt=''>"),
        "cell 0 has a picture without alt text",
    ),
    "widget without fallback": (
        lambda n: n.cells[3].outputs[0].data.pop("text/plain"),
        "cell 3 shows a widget without a text or a picture to stand for it",
    ),
    "size": (
        change(("cells", 1, "outputs", 0, "text"), "x" * 1_000_000),
        "bytes, expected less than 1,000,000; the largest output, 1,000,",
    ),
    "pieces": (
        change(("cells", 1, "outputs"), [v4.new_output("stream", text="a\n")] * 2),
        "has cells[1].outputs = ",
    ),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_named(tmp_path, kind, capsys):
    notebook = good()
    spoil, message = FAULTS[kind]
    spoil(notebook)
    path = stored(tmp_path, notebook)
    (fault,) = notebooks.find_faults(path)
    assert message in fault
    before = path.read_bytes()
    assert notebooks.main(["--check"], tmp_path) == 1
    assert f"00_good.ipynb {fault}" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_an_expected_error_is_no_fault(tmp_path):
    notebook = good()
    FAULTS["error"][0](notebook)
    notebook.cells[1].metadata.tags = ["raises-exception"]
    assert notebooks.find_faults(stored(tmp_path, notebook)) == []


@pytest.mark.parametrize("text", ["", "{}", '{"nbformat": 3}', "[1]"])
def test_what_is_no_notebook_is_a_fault(tmp_path, text):
    path = tmp_path / "00_no.ipynb"
    path.write_text(text)
    (fault,) = notebooks.find_faults(path)
    assert fault.startswith("is not a notebook: ")
