"""One device, eight, and two processes: the same weights up to rounding."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
EXACT = {"float64": 1e-10, "float32": 1e-5}
HELD = {"interior": 256, "condition": 32, "resample_every": 200}


def start(file, jobs, devices, *process):
    """A process that trains these jobs; the caller waits for it."""
    command = [sys.executable, "-m", "tests.parallel.runs", file, devices, *process]
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    running = subprocess.Popen(
        [*map(str, command)], cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    running.stdin.write(json.dumps(jobs))
    running.stdin.close()
    running.stdin = None
    return running


def finish(running, file):
    said = running.communicate(timeout=1500)[0]
    assert running.returncode == 0, said
    with np.load(file) as results:
        return dict(results)


def together(folder, jobs, processes=2, devices=2):
    """What each of several processes of one run has, with so many devices each."""
    port = free_port()
    files = [folder / f"{k}.npz" for k in range(processes)]
    running = [start(f, jobs, devices, port, processes, k) for k, f in enumerate(files)]
    return [finish(r, f) for r, f in zip(running, files, strict=True)]


def alone(file, jobs, devices):
    """What one process has."""
    return finish(start(file, jobs, devices), file)


def distance(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def history(results, name):
    """The columns of a run's history but the wall times."""
    columns = {key.removeprefix(f"{name}/"): x for key, x in results.items() if f"{name}/" in key}
    return {column: x for column, x in columns.items() if column != "seconds"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Each optimizer on one device and on eight.

    Where an optimizer itself amplifies rounding, no two ways of adding numbers up end alike. So
    SOAP goes on from 400 steps on one device: until every direction has had a gradient, its bases
    are arbitrary in the others. And Gauss-Newton has more residuals than parameters, held points,
    and in single precision a strong damping.
    """
    folder = tmp_path_factory.mktemp("devices")
    jobs, newton = {}, {"float64": "gauss_newton", "float32": "damped"}
    for dtype in EXACT:
        begin = str(folder / f"begin-{dtype}")
        jobs[f"begin-{dtype}"] = {"optimizer": "soap", "dtype": dtype, "steps": 400,
                                  "checkpoint": begin}  # fmt: skip
        for n in (1, 8):
            case = {"dtype": dtype, "devices": n}
            going_on = {"steps": 600, "begin": begin, "checkpoint": str(folder / f"{dtype}-{n}")}
            jobs |= {
                f"adam-{dtype}-{n}": case,
                f"soap-{dtype}-{n}": case | going_on | {"optimizer": "soap"},
                f"gauss_newton-{dtype}-{n}": case | HELD | {"optimizer": newton[dtype]},
            }
    few = {"steps": 30, "optimizer": "adam"}
    jobs |= {
        "few": few,
        "wrong": few | {"devices": 8, "mutate": True},
        "micro": few | {"micro_batch": 16},
        "uneven": few | {"micro_batch": 24},
        "both": few | {"devices": 8, "micro_batch": 16},
        "too many": {"devices": 9},
        "not divisible": {"devices": 8, "interior": 60},
    }
    for name in ("kernel", "matrix_free"):
        jobs |= {f"{name}-{n}": {"optimizer": name, "devices": n, "steps": 20} for n in (1, 8)}
    begin = jobs["soap-float64-1"] | {"steps": 450}
    for name, devices in (("soap", 1), ("soap_spread", 8)):
        folder_of = str(folder / f"spread-{devices}")
        jobs[f"spread-{devices}"] = begin | {
            "optimizer": name, "devices": devices, "checkpoint": folder_of}  # fmt: skip
    file = folder / "weights.npz"
    return finish(start(file, jobs, 8), file)


@pytest.mark.parametrize("dtype", EXACT)
@pytest.mark.parametrize("optimizer", ["adam", "soap", "gauss_newton"])
def test_eight_devices_are_like_one(trained, optimizer, dtype):
    one, eight = (trained[f"{optimizer}-{dtype}-{n}"] for n in (1, 8))
    assert one.dtype == dtype
    assert 0 <= distance(eight, one) < EXACT[dtype]


@pytest.mark.parametrize("name", ["kernel", "matrix_free", "spread"])
def test_other_forms_are_alike_too(trained, name):
    assert distance(trained[f"{name}-8"], trained[f"{name}-1"]) < 1e-9


def test_a_gradient_of_one_device_alone_is_noticed(trained):
    assert distance(trained["wrong"], trained["few"]) > 1e-4


@pytest.mark.parametrize("name", ["micro", "uneven", "both"])
def test_micro_batches_change_nothing(trained, name):
    assert distance(trained[name], trained["few"]) < 1e-12


def test_what_cannot_be_divided(trained):
    assert "devices must be 1 to 8" in str(trained["too many/error"])
    said = str(trained["not divisible/error"])
    assert "60 points of 'interior' cannot be divided over 8 devices" in said
    assert "56 or 64" in said


def test_two_processes_are_like_one(tmp_path):
    jobs = {
        "adam": {"checkpoint": str(tmp_path / "adam"), "monitor_every": 100},
        "gauss_newton": HELD | {"optimizer": "gauss_newton"},
        "presets": [{"width": 8}, {"width": 12}],
        "rates": [{"optimizer": "adam"}, {"optimizer": "soap"}],
        "steps": [{"steps": -1}, {}],
        "preset": [{"preset": "test"}, {"preset": "tset"}],
        "resumed": {"checkpoint": str(tmp_path / "adam"), "steps": 300, "monitor_every": 100},
    }
    alone = {n: jobs[n] | {"checkpoint": None} for n in ("adam", "gauss_newton", "resumed")}
    single = start(tmp_path / "alone.npz", alone, 1)
    both = together(tmp_path, jobs)
    single = finish(single, tmp_path / "alone.npz")
    for mine in both:
        for name in alone:
            assert distance(mine[name], single[name]) < 1e-10
        np.testing.assert_allclose(mine["resumed/loss"], single["resumed/loss"], rtol=1e-9)
        assert "differ in their network" in str(mine["presets/error"])
        assert "differ in their training step" in str(mine["rates/error"])
        assert "steps must be an integer >= 1, got -1" in str(mine["steps/error"])
        assert "unknown preset 'tset'" in str(mine["preset/error"])
    assert sorted(p.name for p in (tmp_path / "adam").glob("step-*")) == ["step-200", "step-300"]


@pytest.mark.parametrize(
    ("optimizer", "ends"), [("adam", (40, 80, 120)), ("gauss_newton", (10, 20, 30))]
)
def test_a_run_goes_on_with_fewer_devices_as_if_nothing_had_been(tmp_path, optimizer, ends):
    job = {"optimizer": optimizer, "monitor_every": 10}
    job |= HELD if optimizer == "gauss_newton" else {}
    whole = alone(tmp_path / "whole.npz", {"run": job | {"steps": ends[-1]}}, 1)
    for devices, steps in zip((8, 2, 1), ends, strict=True):
        part = {"run": job | {"devices": devices, "steps": steps, "checkpoint": f"{tmp_path}/run"}}
        last = alone(tmp_path / f"{devices}.npz", part, devices)
    assert distance(last["run"], whole["run"]) < 1e-10
    found, expected = history(last, "run"), history(whole, "run")
    assert found.keys() == expected.keys()
    assert list(found["step"]) == list(range(0, ends[-1] + 1, 10))
    for column, values in expected.items():
        size = np.nanmax(np.abs(values), initial=0)  # nan before there is a step before
        np.testing.assert_allclose(found[column], values, rtol=0, atol=1e-10 * size, err_msg=column)


def test_two_processes_with_soap_are_like_one_with_two_devices(tmp_path):
    """They go on from 400 steps, as above where SOAP is compared."""
    begin = {"optimizer": "soap", "steps": 400, "checkpoint": str(tmp_path / "one")}
    alone(tmp_path / "begin.npz", {"run": begin}, 1)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    one = begin | {"steps": 600, "devices": 2, "monitor_every": 100}
    single = alone(tmp_path / "alone.npz", {"run": one}, 2)
    two = {"run": one | {"checkpoint": str(tmp_path / "two")}}
    for mine in together(tmp_path, two, devices=1):
        assert distance(mine["run"], single["run"]) < 1e-10
        assert list(mine["run/step"]) == [400, 500, 600]
