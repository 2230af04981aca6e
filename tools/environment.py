"""Build `.venv`, or repair it: `python tools/environment.py lab test` (called by `make`).

A finished environment carries a stamp with what it was built from and every package in it. A
call that finds the stamp true and every installed file in its place does nothing; changed
requirements are installed over it; anything else is built anew. Needs nothing but Python.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

STAMP = "pinnkit-environment.json"
REQUIREMENTS = ("pyproject.toml", "constraints.txt")


def pip_arguments(extras: Sequence[str]) -> list[str]:
    """What `pip install` is given to put the kit and its tested versions into an environment."""
    return ["--constraint", "constraints.txt", "--editable", f".[{','.join(sorted(extras))}]"]


def ensure(root: Path, extras: Sequence[str]) -> bool:
    """Make `root/.venv` hold pinnkit with `extras`; return whether anything was installed."""
    venv = root / ".venv"
    with _locked(root / ".venv.lock") as lock:
        damage = find_damage(venv)
        stamp = {} if damage else _read_stamp(venv)
        wanted = sorted({*extras, *stamp.get("extras", [])})
        built_from = _digest(root)
        if not damage and stamp["built_from"] == built_from and stamp["extras"] == wanted:
            return False
        if damage:
            if venv.exists():
                print(f"environment: .venv is broken ({damage}); building it anew", flush=True)
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
        missing = _missing_files(record)
        if missing:
            return f"{name} lacks {missing[0]}"
    return ""


def _digest(root: Path) -> str:
    return hashlib.sha256(b"\0".join((root / f).read_bytes() for f in REQUIREMENTS)).hexdigest()


def _read_stamp(venv: Path) -> dict:
    try:
        return json.loads((venv / STAMP).read_text())
    except (OSError, ValueError):
        return {}


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


def _installed(venv: Path) -> dict[str, Path]:
    """The file list of each installed distribution, by name and version."""
    folders = venv.glob("lib/python3*/site-packages/*.dist-info")
    return {folder.stem: folder / "RECORD" for folder in folders}


def _missing_files(record: Path) -> list[str]:
    if not record.exists():
        return ["its file list"]
    site = str(record.parent.parent)
    with record.open(newline="", encoding="utf-8") as rows:
        files = [row[0] for row in csv.reader(rows) if row]
    return [f for f in files if not f.endswith(".pyc") and not os.path.exists(f"{site}/{f}")]


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
    try:
        ensure(Path(__file__).resolve().parent.parent, sys.argv[1:])
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
