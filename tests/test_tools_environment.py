"""Whatever happened to `.venv`, the next call finds out and mends it; a whole one costs nothing."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import environment

ROOT = Path(__file__).parent.parent

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "toy"
version = "1.0"

[project.optional-dependencies]
lab = []
test = []
"""

# Builds an editable wheel without hatchling, so that nothing is downloaded. In the presence of a
# file `slow` it first tells that it is at work and takes its time; of a file `fail`, it fails.
BACKEND = """
import pathlib, time, zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    if pathlib.Path("slow").exists():
        pathlib.Path("at_work").touch()
        time.sleep(2)
    if pathlib.Path("fail").exists():
        raise SystemExit("no wheel today")
    info = "toy-1.0.dist-info/"
    files = {
        "toy.pth": str(pathlib.Path.cwd()),
        "toy_data/table.txt": "1 2 3",
        info + "METADATA": "Metadata-Version: 2.1\\nName: toy\\nVersion: 1.0\\n"
        "Provides-Extra: lab\\nProvides-Extra: test\\n",
        info + "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = "".join(f"{name},,{len(text)}\\n" for name, text in files.items())
    record += info + "RECORD,,\\n"
    with zipfile.ZipFile(pathlib.Path(folder, "toy-1.0-py3-none-any.whl"), "w") as wheel:
        for name, text in {**files, info + "RECORD": record}.items():
            wheel.writestr(name, text)
    return "toy-1.0-py3-none-any.whl"
"""


def make_project(folder):
    (folder / "tools").mkdir(parents=True)
    shutil.copy(environment.__file__, folder / "tools")
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "backend.py").write_text(BACKEND)
    (folder / "constraints.txt").touch()
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A finished environment: to be copied, not touched."""
    project = make_project(tmp_path_factory.mktemp("built") / "project")
    assert environment.ensure(project, ["lab"])
    return project


@pytest.fixture
def project(built, tmp_path):
    """A finished environment of one's own."""
    copy = tmp_path / "project"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(built, copy, symlinks=True, ignore=ignored)
    change_stamp(copy, root=str(copy))
    assert environment.find_damage(copy / ".venv") == ""
    return copy


def change_stamp(project, **entries):
    stamp = project / ".venv" / environment.STAMP
    stamp.write_text(json.dumps(json.loads(stamp.read_text()) | entries))


def read_stamp(project):
    return json.loads((project / ".venv" / environment.STAMP).read_text())


def site(project):
    (folder,) = (project / ".venv").glob("lib/python3*/site-packages")
    return folder


def rebuilt(project):
    """Whether `ensure` makes a new environment, and not only installs into this one."""
    mark = project / ".venv" / "mark"
    mark.touch()
    environment.ensure(project, ["lab"])
    return not mark.exists()


def first_command(project, monkeypatch, **options):
    """What `ensure` would run first."""

    class Stop(Exception):
        pass

    def stop(command, *_):
        raise Stop(command)

    monkeypatch.setattr(environment, "_run", stop)
    with pytest.raises(Stop) as stopped:
        environment.ensure(project, ["lab"], **options)
    return stopped.value.args[0]


HEEDING_INTERRUPTS = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)
"""As at a terminal, even if these tests run in the background, where a shell turns them off."""


def start(project, *extras):
    command = [sys.executable, "-c", HEEDING_INTERRUPTS, project / "tools/environment.py", *extras]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def modified(project):
    return {p: p.lstat().st_mtime_ns for p in project.rglob("*") if p.name != ".venv.lock"}


def imports(project):
    python = project / ".venv/bin/python"
    return subprocess.run([python, "-c", "import backend"], cwd="/").returncode == 0


DAMAGE = {
    "no stamp": (lambda p: (p / ".venv" / environment.STAMP).unlink(), "never finished"),
    "half a stamp": (
        lambda p: (p / ".venv" / environment.STAMP).write_text('{"root": '),
        "never finished",
    ),
    "a stamp of another kind": (
        lambda p: (p / ".venv" / environment.STAMP).write_text("{}"),
        "never finished",
    ),
    "no environment": (lambda p: shutil.rmtree(p / ".venv"), "never finished"),
    "moved": (lambda p: change_stamp(p, root="/elsewhere"), "moved or copied"),
    "no python": (lambda p: (p / ".venv/bin/python").unlink(), "does not run"),
    "a python that points nowhere": (
        lambda p: [
            (p / ".venv/bin" / name).unlink() or (p / ".venv/bin" / name).symlink_to("/nowhere")
            for name in ("python", "python3")
        ],
        "does not run",
    ),
    "a package gone": (
        lambda p: [shutil.rmtree(f) for f in site(p).glob("toy*") if f.is_dir()],
        "toy-1.0 is gone",
    ),
    "a package's code gone": (
        lambda p: shutil.rmtree(site(p) / "pip" / "_internal"),
        "pip-.* lacks pip/_internal/",
    ),
    "one file gone": (
        lambda p: (site(p) / "toy_data/table.txt").unlink(),
        "toy-1.0 lacks toy_data/table.txt",
    ),
    "one file cut off": (
        lambda p: os.truncate(site(p) / "toy_data/table.txt", 2),
        "toy-1.0 lacks toy_data/table.txt",
    ),
    "a file list gone": (
        lambda p: (site(p) / "toy-1.0.dist-info/RECORD").unlink(),
        "toy-1.0 lacks its file list",
    ),
    "a file list cut off": (
        lambda p: os.truncate(site(p) / "toy-1.0.dist-info/RECORD", 0),
        "toy-1.0 lacks its file list",
    ),
    "a file list of rubbish": (
        lambda p: (site(p) / "toy-1.0.dist-info/RECORD").write_bytes(b"\xff,\n"),
        "toy-1.0 lacks its file list",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_what_is_damaged_is_built_anew(project, kind, monkeypatch):
    damage, message = DAMAGE[kind]
    damage(project)
    assert re.search(message, environment.find_damage(project / ".venv"))
    assert first_command(project, monkeypatch)[2:4] == ["-m", "venv"]
    assert not (project / ".venv").exists()


def test_damage_is_mended(project):
    DAMAGE["one file gone"][0](project)
    assert rebuilt(project)
    assert environment.find_damage(project / ".venv") == ""
    assert imports(project)


@pytest.mark.parametrize("stray", ["file", "link"])
def test_what_is_no_folder_is_replaced(tmp_path, stray, monkeypatch):
    project = make_project(tmp_path / "project")
    venv, elsewhere = project / ".venv", tmp_path / "elsewhere"
    elsewhere.mkdir()
    venv.touch() if stray == "file" else venv.symlink_to(elsewhere)
    assert "venv" in first_command(project, monkeypatch)
    assert not venv.exists() and elsewhere.exists()


def test_a_copied_project_gets_its_own(built, tmp_path):
    copy = tmp_path / "a copy"
    shutil.copytree(built, copy, symlinks=True)
    assert rebuilt(copy)
    assert read_stamp(copy)["root"] == str(copy)
    assert imports(copy)


def test_nothing_is_done_when_all_is_well(project, monkeypatch):
    def forbidden(*_):
        raise AssertionError("something was run")

    monkeypatch.setattr(environment, "_run", forbidden)
    before = modified(project)
    started = time.perf_counter()
    assert not environment.ensure(project, ["lab"])
    assert time.perf_counter() - started < 3
    assert before == modified(project)


def test_the_environment_that_runs_this_is_checked_in_no_time():
    if not (Path(sys.prefix) / environment.STAMP).exists():
        pytest.skip("these tests run in an environment that make did not build")
    started = time.perf_counter()
    assert environment.find_damage(Path(sys.prefix)) == ""
    assert time.perf_counter() - started < 3


def test_extras_add_up(project):
    assert environment.ensure(project, ["test"])
    assert read_stamp(project)["extras"] == ["lab", "test"]
    assert not environment.ensure(project, ["lab"])
    assert not environment.ensure(project, ["test", "lab"])


@pytest.mark.parametrize("file", environment.REQUIREMENTS)
def test_changed_requirements_are_installed_over_it(project, file):
    with (project / file).open("a") as text:
        text.write("\n# changed\n")
    assert not rebuilt(project)
    assert not environment.ensure(project, ["lab"])


def test_an_unknown_extra_is_refused_and_harms_nothing(project):
    process = start(project, "labb")
    assert "invalid choice: 'labb' (choose from 'lab', 'test')" in process.communicate()[0]
    assert process.returncode == 2
    assert environment.find_damage(project / ".venv") == ""


def test_a_failed_install_is_told_and_mended_next_time(project):
    (project / "fail").touch()
    process = start(project, "lab", "test")
    output, _ = process.communicate()
    assert process.returncode == 1
    assert "no wheel today" in output
    assert "environment: .venv is not ready: see pip's message above" in output
    assert environment.find_damage(project / ".venv") == "it was never finished"
    (project / "fail").unlink()
    assert rebuilt(project)
    assert imports(project)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_install_is_mended_next_time(project, sent):
    (project / "slow").touch()
    process = start(project, "test")
    wait_for(project / "at_work")
    process.send_signal(sent)
    process.wait(timeout=60)
    (project / "slow").unlink()
    assert environment.find_damage(project / ".venv") == "it was never finished"

    again = start(project, "test")
    output, _ = again.communicate(timeout=120)
    assert again.returncode == 0
    assert "cannot be used (it was never finished); building it anew" in output
    if sent == signal.SIGKILL:  # the pip that it left behind still had the lock
        assert "another process is working on .venv; waiting" in output
    assert environment.find_damage(project / ".venv") == ""
    assert imports(project)


def test_of_two_calls_one_installs(project):
    (project / "slow").touch()
    both = [start(project, "test") for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("installing" in output for output in outputs) == 1
    assert sum("waiting" in output for output in outputs) == 1


def test_another_python_is_taken_only_when_asked_for(project, monkeypatch):
    class Version(tuple):
        major, minor = 3, 99

    monkeypatch.setattr(sys, "version_info", Version(sys.version_info))
    assert not environment.ensure(project, ["lab"])
    assert environment.find_damage(project / ".venv") == ""
    assert "venv" in first_command(project, monkeypatch, with_this_python=True)


# The Makefile.


def make(*arguments, cwd=ROOT, **variables):
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if name != "PYTHON"} | variables,
        capture_output=True,
        text=True,
    )


def test_help_names_every_command():
    (line,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    commands = set(line.split()) - {"help", "environment"}
    assert commands == set(re.findall(r"^make (\w+)", make().stdout, re.MULTILINE))
    assert make().stdout == make("help").stdout


@pytest.mark.parametrize("python", ["/nowhere/python3", "old"])
@pytest.mark.parametrize("command", ["lab", "test", "notebooks", "lint"])
def test_a_python_that_will_not_do_is_named(tmp_path, python, command):
    project = make_project(tmp_path / "project")
    if python == "old":
        old = project / "python3.9"
        old.write_text("#!/bin/sh\nexit 1\n")
        old.chmod(0o755)
        python = str(old)
    result = make(command, f"PYTHON={python}", cwd=project)
    assert result.returncode == 2
    assert f"pinnkit needs Python 3.11 or newer, and '{python}' is not" in result.stderr
    assert f"make {command} PYTHON=/path/to/python3.11" in result.stderr
    assert not (project / ".venv").exists()


def test_make_builds_once(tmp_path):
    project = make_project(tmp_path / "project")
    first, second = (make("environment", cwd=project) for _ in range(2))
    assert first.returncode == second.returncode == 0
    assert "installing pinnkit[lab,test]" in first.stdout
    assert second.stdout == ""


def wait_for(path):
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.05)
