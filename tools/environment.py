"""Build `.venv`, or repair it: `python tools/environment.py lab test` (called by `make`).

A finished environment carries a stamp with what it was built from and every package in it. A
call that finds the stamp true and every installed file in its place does nothing; changed
requirements are installed over it; anything else is built anew. Needs nothing but Python.
"""

from __future__ import annotations

import argparse
import csv
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

STAMP = "pinnkit-environment.json"
REQUIREMENTS = ("pyproject.toml", "constraints.txt")


def pip_arguments(extras: Sequence[str]) -> list[str]:
    """What `pip install` is given to put the kit and its tested versions into an environment."""
    return ["--constraint", "constraints.txt", "--editable", f".[{','.join(sorted(extras))}]"]


def known_extras(root: Path) -> list[str]:
    """The extras that pyproject.toml offers."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return sorted(project["optional-dependencies"])


def ensure(root: Path, extras: Sequence[str], *, with_this_python: bool = False) -> bool:
    """Make `root/.venv` hold pinnkit with `extras`; return whether anything was installed.

    Args:
        root: the folder of pyproject.toml.
        extras: what is wanted now; those of earlier calls are kept.
        with_this_python: build it anew if it has another version of Python than this one.
    """
    venv = root / ".venv"
    with _locked(root / ".venv.lock") as lock:
        damage = find_damage(venv) or (with_this_python and _other_python(venv))
        stamp = {} if damage else _read_stamp(venv)
        wanted = sorted({*extras, *stamp.get("extras", [])})
        built_from = _digest(root)
        if not damage and stamp["built_from"] == built_from and stamp["extras"] == wanted:
            return False
        if damage:
            if venv.exists():
                print(f"environment: .venv cannot be used ({damage}); building it anew", flush=True)
            _remove(venv)
            _run([_base_python(), "-I", "-m", "venv", str(venv)], root, lock)
        (venv / STAMP).unlink(missing_ok=True)
        print(f"environment: installing pinnkit[{','.join(wanted)}] into .venv", flush=True)
        pip = [str(venv / "bin" / "python"), "-I", "-m", "pip", "--disable-pip-version-check"]
        _run([*pip, "install", *pip_arguments(wanted)], root, lock)
        _write_stamp(venv, {"root": str(root), "built_from": built_from, "extras": wanted})
        return True


def find_damage(venv: Path) -> str:
    """Why the environment cannot be trusted, in a few words; empty if it can."""
    stamp = _read_stamp(venv)
    if not stamp:
        return "it was never finished"
    if stamp["root"] != str(venv.parent):
        return "it was moved or copied"
    if not _python_runs(venv):
        return "its Python does not run"
    installed = _installed(venv)
    for name in stamp["packages"]:
        if name not in installed:
            return f"{name} is gone"
    for name, record in installed.items():
        if lost := next(_lost_files(record), ""):
            return f"{name} lacks {lost}"
    return ""


def _digest(root: Path) -> str:
    return hashlib.sha256(b"\0".join((root / f).read_bytes() for f in REQUIREMENTS)).hexdigest()


def _read_stamp(venv: Path) -> dict:
    try:
        stamp = json.loads((venv / STAMP).read_text())
    except (OSError, ValueError):
        return {}
    keys = {"root", "built_from", "extras", "packages"}
    return stamp if isinstance(stamp, dict) and keys <= stamp.keys() else {}


def _write_stamp(venv: Path, stamp: dict) -> None:
    temporary = venv / (STAMP + ".new")
    temporary.write_text(json.dumps({**stamp, "packages": sorted(_installed(venv))}, indent=1))
    os.replace(temporary, venv / STAMP)


def _python_runs(venv: Path) -> bool:
    python = str(venv / "bin" / "python")
    try:
        return subprocess.run([python, "-I", "-c", ""], capture_output=True).returncode == 0
    except OSError:
        return False


def _other_python(venv: Path) -> str:
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return "" if (venv / "lib" / name).is_dir() else f"it is not of {name}"


def _installed(venv: Path) -> dict[str, Path]:
    """The file list of each installed distribution, by name and version."""
    folders = venv.glob("lib/python3*/site-packages/*.dist-info")
    return {folder.stem: folder / "RECORD" for folder in folders}


def _lost_files(record: Path) -> Iterator[str]:
    """Files of a distribution that are gone, or cut off: shorter or longer than they were."""
    try:
        lines = record.read_text(encoding="utf-8").splitlines()
        sizes = {file: size for file, _, size in csv.reader(lines) if not file.endswith(".pyc")}
    except (OSError, ValueError):
        sizes = {}
    if not sizes:
        yield "its file list"
    for file, size in sizes.items():
        try:
            found = os.stat(record.parent.parent / file).st_size
        except OSError:
            yield file
        else:
            if size not in ("", str(found)):
                yield file


def _base_python() -> str:
    """The interpreter behind the running one: `make` may be called from the environment itself."""
    return getattr(sys, "_base_executable", None) or sys.executable


def _remove(venv: Path) -> None:
    if venv.is_symlink() or venv.is_file():
        venv.unlink()
    elif venv.exists():
        shutil.rmtree(venv)


def _run(command: list[str], root: Path, lock: int) -> None:
    """Run to the end; the child holds the lock too, so that it counts if this process is killed."""
    subprocess.run(command, cwd=root, check=True, pass_fds=[lock], stdin=subprocess.DEVNULL)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("environment: another process is working on .venv; waiting", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def main() -> int:
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description="Build .venv, or repair it.")
    parser.add_argument("extras", nargs="+", choices=known_extras(root))
    parser.add_argument(
        "--with-this-python",
        action="store_true",
        help="build it anew if it has another version of Python than the one that runs this",
    )
    arguments = parser.parse_args()
    try:
        ensure(root, arguments.extras, with_this_python=arguments.with_this_python)
    except subprocess.CalledProcessError as error:
        step = "venv" if "venv" in error.cmd else "pip"
        advice = {
            "venv": "this Python has no working `venv` (Debian and Ubuntu: install python3-venv)",
            "pip": "see pip's message above; the next call starts afresh",
        }
        print(f"environment: .venv is not ready: {advice[step]}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
