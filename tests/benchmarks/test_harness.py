"""The harness's own logic, on made-up libraries: no peer is installed and nothing is timed."""

import itertools
import json
import sys
import time
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import peers, task

PYTHON = Path(sys.executable)
GRID = np.array([[0.0, -1.0], [0.5, 0.0], [1.0, 1.0]])
TRUTH = np.array([3.0, 0.0, 4.0])

SCRIPT = """
import sys
sys.path.insert(0, {here!r})
import numpy as np
import task


def load():
    print("a banner of the library")
    return "library"


def speed(library, steps, report):
    report("first step", seconds=2.0, parameters={parameters})
    report("speed", steps_per_second=float(steps))


def recipe(library, watch, quick):
    print("its progress")
    for step, error in enumerate({errors}):
        watch.hand_over(step, 10.0 * step, (1 + error) * np.array([3.0, 0.0, 4.0]))
    {then}


task.run(load, speed, {{"recipe": recipe}}, ["numpy"])
"""


def library(tmp_path, *, parameters=task.PARAMETERS, errors=(), then="pass"):
    script = tmp_path / "run.py"
    here = str(Path(task.__file__).parent)
    script.write_text(SCRIPT.format(here=here, parameters=parameters, errors=errors, then=then))
    return peers.Peer("made up", str(script), ("recipe",))


def follow(peer):
    options = Namespace(cap=5.0, quick=False)
    return peers.follow_recipe(peer, PYTHON, "recipe", GRID, TRUTH, options)


def test_relative_error_by_hand():
    assert peers.relative_l2(TRUTH + [0, 0.5, 0], TRUTH) == pytest.approx(0.1)
    assert peers.relative_l2(TRUTH * np.nan, TRUTH) == float("inf")


def test_the_parameters_are_those_of_the_network():
    sizes = [2, *[task.WIDTH] * task.DEPTH, 1]
    pairs = itertools.pairwise(sizes)
    assert sum(a * b + b for a, b in pairs) == task.PARAMETERS


def test_speed_is_what_the_process_reports_whatever_it_prints(tmp_path):
    row = peers.measure_speed(library(tmp_path), PYTHON, 7)
    assert (row["steps_per_second"], row["first_step"]) == (7.0, 2.0)
    assert row["versions"] == {"numpy": np.__version__}


def test_another_network_is_refused(tmp_path):
    with pytest.raises(peers.Unusable, match="another network: 5 parameters"):
        peers.measure_speed(library(tmp_path, parameters=5), PYTHON, 7)


def test_a_recipe_ends_at_the_target(tmp_path):
    started = time.monotonic()
    waits = "import time; time.sleep(60)"
    result = follow(library(tmp_path, errors=(0.5, 0.02, 0.0009), then=waits))
    assert time.monotonic() - started < 30
    assert result["seconds_to_target"] == 20.0 and result["solved"]
    assert [(s, t, round(e, 6)) for s, t, e in result["history"]] == [
        (0, 0.0, 0.5),
        (1, 10.0, 0.02),
        (2, 20.0, 0.0009),
    ]


def test_a_recipe_that_misses_the_target_says_its_best(tmp_path):
    result = follow(library(tmp_path, errors=(0.5, 0.2, 0.3)))
    assert result["seconds_to_target"] is None and not result["solved"]
    assert result["best_error"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("errors", "then", "says"),
    [
        ((), "raise ValueError('no such layer')", "failed after loaded report: .*no such layer"),
        ((0.5,), "import os; os._exit(0)", "failed after values report"),
        ((), "pass", "handed over no values"),
    ],
)
def test_a_process_that_fails_is_named(tmp_path, errors, then, says):
    with pytest.raises(peers.Unusable, match=says):
        follow(library(tmp_path, errors=errors, then=then))


def test_a_process_that_hangs_is_ended(tmp_path):
    peer = library(tmp_path, then="import time; time.sleep(60)")
    grid = tmp_path / "grid.npy"
    np.save(grid, GRID)
    arguments = ["recipe", f"--grid={grid}", f"--folder={tmp_path}"]
    with pytest.raises(peers.Unusable, match="took too long"):
        list(peers.events(peer, PYTHON, arguments, 2.0))


def test_watch_reports_at_intervals_and_does_not_count_its_own_time(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(task.time, "perf_counter", lambda: now[0])
    reports = []
    channel = Namespace(report=lambda event, **facts: reports.append(facts))
    watch = task.Watch(channel, GRID, tmp_path, every=2.0, cap=4.5)

    def slow(grid):
        now[0] += 50.0
        return grid[:, 0]

    for step in range(5):
        watch.look(step, slow)
        now[0] += 1.0
    assert [(r["step"], r["seconds"]) for r in reports] == [(0, 0.0), (2, 2.0), (4, 4.0)]
    assert watch.over and watch.seconds == 5.0
    assert np.array_equal(np.load(reports[-1]["file"]), GRID[:, 0])


def test_ratios_pair_the_repeats():
    rates = {"pinnkit": (100.0, 10.0, 50.0), "slow": (50.0, 2.0, 50.0)}
    speed = {n: {"steps_per_second": {"all": list(v)}} for n, v in rates.items()}
    assert peers.ratios(speed) == {"slow": 2.0}


def test_summary_leaves_out_what_a_library_does_not_tell():
    common = {"versions": {}, "threads": None, "cores": 2, "import": 1.0, "compilation": None}
    rows = [common | {"steps_per_second": v, "first_step": 2 * v} for v in (3.0, 1.0, 2.0)]
    result = peers.summary(rows)
    assert result["steps_per_second"] == {"median": 2.0, "all": [3.0, 1.0, 2.0]}
    assert result["first_step"]["median"] == 4.0 and "compilation" not in result


def test_every_peer_is_pinned_and_has_a_script():
    for peer in peers.PEERS:
        assert (peers.HERE / peer.script).exists()
        if peer.environment is not None:
            file = peers.HERE / "requirements" / f"{peer.environment}.txt"
            assert all("==" in line for line in file.read_text().splitlines())


@pytest.mark.parametrize("recipe", peers.PEERS[0].recipes)
def test_the_recipes_of_pinnkit_run(recipe):
    t, x = np.linspace(0, 1, 3), np.linspace(-1, 1, 5)
    grid = np.stack(np.meshgrid(t, x, indexing="ij"), -1).reshape(-1, 2)
    options = Namespace(cap=500.0, quick=True)
    row = peers.follow_recipe(peers.PEERS[0], PYTHON, recipe, grid, np.ones(len(grid)), options)
    assert [step for step, *_ in row["history"]] == [20, 40]


def test_an_environment_that_cannot_be_made_is_reported(tmp_path, monkeypatch):
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "broken.txt").write_text("not a requirement ==\n")
    monkeypatch.setattr(peers, "HERE", tmp_path)
    monkeypatch.setattr(peers, "CACHE", tmp_path / "cache")
    peer = peers.Peer("broken", "run.py", (), "broken")
    with pytest.raises(peers.Unusable, match="cannot be installed: "):
        peers.install(peer)


def test_the_table_names_everything():
    figures = {"median": 2.0, "all": [2.0]}
    speed = {n: {"steps_per_second": figures, "first_step": figures} for n in ("pinnkit", "other")}
    row = {"peer": "other", "recipe": "slow", "seconds_to_target": None, "best_error": 0.5}
    row["history"] = [[10, 3.0, 0.5]]
    result = {"speed": speed, "ratios": {"other": 1.0}, "recipes": [row], "unusable": {"gone": "x"}}
    text = peers.table(json.loads(json.dumps(result)))
    assert "never" in text and "gone: x" in text and "other: slow" in text


def test_the_document_shows_the_stored_table():
    result = json.loads(peers.RESULT.read_text())
    document = (peers.ROOT / "docs" / "benchmarks_against_peers.md").read_text()
    assert peers.table(result) in document
    assert f"{result['hardware']}; {result['minutes']:.0f} minutes" in document
