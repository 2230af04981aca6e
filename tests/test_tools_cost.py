"""Slopes, the list of cases, and that what was not measured is listed."""

import json
import signal
import subprocess

import pytest

import cost


def row(optimizer, series, x, seconds, **more):
    return {
        "optimizer": optimizer,
        "series": series,
        "status": "measured",
        "parameters": x,
        "points": x,
        "seconds": seconds,
        "resident_bytes": 7 * x**2,
        "buffer_bytes": 3 * x,
    } | more


def test_slopes_are_exponents_of_what_was_measured():
    rows = [row("soap", "width", x, 1e-6 * x**1.5) for x in (100, 1000, 5000)]
    rows.append({"optimizer": "soap", "series": "width", "status": "over the cap"})
    found = cost.slopes(rows)
    assert found["soap: seconds over parameters"] == 1.5
    assert found["soap: resident_bytes over parameters"] == 2.0
    assert found["soap: seconds over points"] is None
    assert cost.slope([1.0, 2.0], [0.0, 3.0]) is None


def test_every_optimizer_meets_every_width_and_number_of_points():
    chosen = cost.cases((8, 16), (200, 400), 8, 300)
    assert len(chosen) == 2 * (2 + 2)
    assert {(c["width"], c["points"]) for c in chosen if c["series"] == "width"} == {
        (8, 300),
        (16, 300),
    }


COMPILED = json.dumps({"buffer_bytes": 300}) + "\n"


@pytest.mark.parametrize(
    ("returncode", "stdout", "status"),
    [
        (-signal.SIGALRM, COMPILED, "over the cap of 5 s for steps"),
        (-signal.SIGALRM, "", "over the cap of 300 s for compiling"),
        (1, COMPILED, "failed: MemoryError"),
        (0, COMPILED + json.dumps({"seconds": 2.0}), "measured"),
    ],
)
def test_a_case_that_is_stopped_says_so(returncode, stdout, status, monkeypatch):
    def done(command, **options):
        return subprocess.CompletedProcess(command, returncode, stdout, "Traceback\nMemoryError\n")

    monkeypatch.setattr(subprocess, "run", done)
    found = cost.in_a_process({"optimizer": "soap"}, 5)
    assert found["status"] == status and found["optimizer"] == "soap"
    assert found.get("seconds") == (2.0 if returncode == 0 else None)
    assert found.get("buffer_bytes") == (300 if stdout else None)


@pytest.mark.slow
def test_a_case_is_measured():
    case = {"optimizer": "gauss_newton", "width": 6, "points": 100}
    found = cost.in_a_process(case, 20)
    assert found["status"] == "measured", found["status"]
    assert found["parameters"] == 115 and found["steps"] == cost.STEPS
    assert min(found["seconds"], found["buffer_bytes"]) > 0
    assert found["resident_bytes"] >= 0  # 0 where the process that starts it is larger
