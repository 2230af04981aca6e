"""A notebook runs headless with parameters that it has, and leaves its outcome whatever happens."""

import errno
import os
import re
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

import notebooks
import run
from pinnkit import problems

PRESET = "preset = pinnkit.preset_from_environment()"
SEEDS = 'seeds = {"test": (0,), "laptop": (0, 1)}[preset]'
OWN = f"import pinnkit\n\n{PRESET}  # as in the course\n{SEEDS}\nproblem = 'GrayScott'"


def write(folder, name, *sources):
    """A notebook of somebody else's kernel; its first cell is that of the parameters."""
    cells = [v4.new_markdown_cell("# A title"), *map(v4.new_code_cell, sources)]
    cells[1].metadata["tags"] = ["parameters"]
    metadata = {"kernelspec": {"name": "elsewhere", "display_name": "Python 3.9"}}
    path = folder / f"{name}.ipynb"
    nbformat.write(v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


def parameters(source):
    cell = v4.new_code_cell(source, metadata={"tags": ["parameters"]})
    return run.parameters_of(v4.new_notebook(cells=[cell]))


def outputs(path):
    cells = [c for c in nbformat.read(path, 4).cells if c.cell_type == "code"]
    return ["".join(o.get("text", o.get("ename", "")) for o in c.outputs) for c in cells]


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def own_settings(monkeypatch):
    monkeypatch.delenv("PINNKIT_PRESET", raising=False)


# Runs.


def test_parameters_reach_the_notebook_and_what_it_computes_from_the_preset(tmp_path, capsys):
    path = write(
        tmp_path,
        "05_own",
        OWN,
        "import os, sys\nprint(preset, seeds, problem, os.getcwd(), sys.executable, sep='\\n')",
    )
    before, out = path.read_bytes(), tmp_path / "{out}" / "deeper"
    given = ["--preset", "test", "--problem", "Wave", "--out", str(out)]
    assert run.main([str(path), *given]) == 0
    (written,) = out.iterdir()
    printed = capsys.readouterr()
    assert re.fullmatch(rf"{re.escape(str(written))}  \d+\.\d s\n", printed.out)
    assert "cell/s" in printed.err
    *_, text = outputs(written)
    assert text.splitlines() == ["test", "(0,)", "Wave", str(tmp_path), sys.executable]
    assert path.read_bytes() == before


def test_a_failing_cell_leaves_what_was_run(tmp_path, capsys):
    path = write(tmp_path, "00_bad", "seeds = (0, 1)", "print(seeds)", "1 / 0", "print(2)")
    assert run.main([str(path), "--seed", "7", "--out", str(tmp_path / "out")]) == 1
    (written,) = (tmp_path / "out").iterdir()
    assert outputs(written) == ["", "", "(7,)\n", "ZeroDivisionError", ""]
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("00_bad: In [4] failed: ZeroDivisionError: division by zero; what was ")
    assert last.endswith(f"is in {written}")


def test_an_interrupt_leaves_what_was_run_and_no_kernel(tmp_path):
    path = write(
        tmp_path,
        "00_long",
        "seed = 0",
        "import os, time\nprint('begun')",
        "open('new', 'w').write(str(os.getpid()))\nos.rename('new', 'pid')\ntime.sleep(600)",
    )
    command = [sys.executable, run.__file__, str(path), "--out", "out"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    wait_for((tmp_path / "pid").exists)
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=60)
    assert process.returncode == 130
    (written,) = (tmp_path / "out").iterdir()
    assert outputs(written)[1] == "begun\n"
    last = printed.splitlines()[-1]
    assert last == f"00_long: interrupted; what was run so far is in out/{written.name}"
    assert "Traceback" not in printed
    kernel = int((tmp_path / "pid").read_text())
    wait_for(lambda: not os.path.exists(f"/proc/{kernel}"))


# The copy that is run.


def test_its_name_is_dated_and_its_own(tmp_path):
    start = datetime.now().replace(microsecond=0)
    blank = v4.new_notebook(metadata={notebooks.RUN: {"preset": "laptop"}})
    names = [run.begin(Path("11_race.ipynb"), blank, tmp_path).name for _ in range(2)]
    assert len(set(names)) == 2
    for name in names:
        assert start <= datetime.strptime(name, "11_race_%Y-%m-%dT%H%M%S.ipynb") <= datetime.now()
        assert not nbformat.read(tmp_path / name, 4).metadata


def test_a_full_disk_leaves_what_was_saved(tmp_path, monkeypatch):
    path = tmp_path / "00.ipynb"
    files = run.WholeFiles()
    files.write("first", str(path))

    def full(self, text, **options):
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(run.Failure, match=r"00\.ipynb: No space .*; make room, or name another"):
        files.write("second", str(path))
    with pytest.raises(run.Failure, match=r"No space left"):
        run.begin(Path("01.ipynb"), v4.new_notebook(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["00.ipynb"]
    assert path.read_bytes() == b"first"


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    arguments = [str(write(tmp_path, "00_own", OWN)), "--out", str(tmp_path / "file" / "out")]
    assert run.main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("00_own: cannot write ")
    assert line.endswith("/file/out: Not a directory; name another folder with --out")


# What is refused before a kernel starts.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "tset"], "takes no preset 'tset': expected one of: test, laptop, gpu"),
        (["--problem", "Wav"], "takes no problem 'Wav': expected one of: .*Burgers.*, Wave"),
        (["--problem", "Problem"], "takes no problem 'Problem'"),
        (["--set", "preset=tset"], "takes no preset 'tset'"),
        (["--set", "steps=3"], "has no parameter 'steps'; it has: preset, seeds, problem"),
        (["--set", "seeds=a few"], r"cannot take seeds=a few: .* Python value .* seeds = \{'test'"),
        (["--set", "seeds={1}"], r"cannot take seeds=\{1\}"),
        (["--set", "seeds"], "cannot take --set seeds: expected NAME=VALUE"),
        (["--set", "seeds=1", "--seed", "2"], r"is given 'seeds' twice: \(2,\) and '1'"),
    ],
)
def test_a_wrong_name_or_value_lists_what_there_is(tmp_path, capsys, arguments, message):
    path = write(tmp_path, "05_own", OWN)
    with pytest.raises(SystemExit) as stopped:
        run.main([str(path), *arguments, "--out", str(tmp_path / "out")])
    assert stopped.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert re.search(f"error: notebook 05_own {message}", last)
    assert not (tmp_path / "out").exists()


def test_a_wrong_preset_of_the_environment_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PINNKIT_PRESET", "tset")
    with pytest.raises(SystemExit):
        run.main([str(write(tmp_path, "05_own", OWN)), "--out", str(tmp_path / "out")])
    assert "takes no preset 'tset'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("77", "no notebook '77' in notebooks/; there are: 00_start_here, "),
        ("gone/00.ipynb", "no notebook 'gone/00.ipynb' in"),
        ("02", "notebook 02_two_losses_one_compass has no parameter 'seed'; it has: preset"),
    ],
)
def test_a_notebook_of_the_course_is_found_by_number(capsys, name, message):
    with pytest.raises(SystemExit):
        run.main([name, "--seed", "1"])
    assert message in capsys.readouterr().err


def test_a_file_that_is_no_notebook_is_refused(tmp_path, capsys):
    (tmp_path / "00.ipynb").write_text("no notebook")
    with pytest.raises(SystemExit):
        run.main([str(tmp_path / "00.ipynb")])
    assert "cannot read 00.ipynb: " in capsys.readouterr().err


def test_a_notebook_is_found_by_number_name_and_path(tmp_path):
    path = write(tmp_path, "02_own", OWN)
    for name in ("2", "02", "02_own", "02_own.ipynb", str(path)):
        assert run.find(name, tmp_path) == path
    write(tmp_path, "02_other", OWN)
    with pytest.raises(ValueError, match="fits several notebooks: give one of 02_other, 02_own"):
        run.find("02", tmp_path)


# What is chosen.


def test_the_seed_is_the_only_one_of_several():
    assert run.choose(parameters("seed = 0"), seed=3) == {"seed": 3}
    assert run.choose(parameters("seeds = (0, 1)"), seed=3) == {"seeds": (3,)}
    assert run.choose(parameters("seed = 0\nseeds = (0, 1)"), seed=3) == {"seed": 3}


def test_settings_are_values_or_texts_as_the_notebook_has_them():
    found = parameters("rate: float = 0.1\nname = 'x'\nproblem = 'Wave'\nlow, high = 0, 1")
    settings = ["rate=1e-3", "name=1 = 2", "problem=Burgers", "high=None"]
    chosen = {"rate": 1e-3, "name": "1 = 2", "problem": "Burgers", "high": None}
    assert run.choose(found, settings=settings) == chosen
    assert run.choose(found) == {}


def test_every_problem_of_the_course_can_be_chosen():
    found = parameters("problem = 'GrayScott'")
    for name in problems.BENCHMARKS:
        assert run.choose(found, problem=name) == {"problem": name}


def test_values_are_written_as_python_writes_them():
    given = {"a": (1,), "b": [(2, 3)], "c": {4: None}, "d": 'say "é"\n', "e": True}
    code = run.Literals.codify(given)
    defined = {}
    exec(code, defined)
    assert {name: defined[name] for name in given} == given


def test_what_the_parameters_cell_computes_from_a_new_value_must_be_given_too():
    found = parameters("problem = 'Wave'\nseconds = {'Wave': 1, 'Burgers': 2}[problem]")
    with pytest.raises(
        ValueError, match="computes 'seconds' from 'problem' .* --set seconds=VALUE"
    ):
        run.choose(found, problem="Burgers")
    assert run.choose(found, problem="Burgers", settings=["seconds=2"])["seconds"] == 2
    fixed = parameters(f"preset = 'laptop'\n{SEEDS}")
    with pytest.raises(ValueError, match="computes 'seeds' from 'preset'"):
        run.choose(fixed, preset="test")


def test_a_notebook_without_parameters_has_none():
    found = run.parameters_of(v4.new_notebook(cells=[v4.new_code_cell("seed = 0")]))
    with pytest.raises(ValueError, match="has no parameter 'seed'; it has: none"):
        run.choose(found, seed=1)
    with pytest.raises(ValueError, match="plain Python .* line 2 is '%matplotlib inline'"):
        parameters("seed = 0\n%matplotlib inline")


@pytest.mark.parametrize("path", sorted(notebooks.NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)
def test_every_notebook_of_the_course_takes_a_preset(path):
    found = run.parameters_of(nbformat.read(path, 4))
    assert run.choose(found, preset="test") == {"preset": "test"}
