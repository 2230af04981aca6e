"""Training the rows of the tables: names, resuming, refusing, and what goes wrong."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

import ablations
import measure
import pinnkit
import results as tool
from pinnkit import results
from pinnkit.recipes import Recipe, soap_and_adam
from pinnkit.terms import Loss

TINY = Recipe(
    steps=4,
    optimizers=soap_and_adam(1e-3),
    network={"width": 4, "depth": 1},
    points=pinnkit.UniformSampler(interior=16, condition=8),
)
TASK = tool.Task("Burgers", "soap", 0)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The recipe of every task is tiny, and unfinished runs lie in a folder of the test."""
    monkeypatch.setattr(tool.Task, "recipe", property(lambda task: TINY))
    monkeypatch.setattr(tool.Task, "seconds", property(lambda task: None))
    monkeypatch.setattr(tool, "UNFINISHED", tmp_path / "unfinished")
    return tmp_path


def test_a_commit_is_marked_where_files_differ_but_for_rows(tmp_path):
    def git(*arguments):
        command = ["git", "-c", "user.name=n", "-c", "user.email=e", *arguments]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    row, source = tmp_path / "pinnkit/results/rows/a.json", tmp_path / "source.py"
    row.parent.mkdir(parents=True)
    assert measure.commit(tmp_path) == ""
    for path in row, source:
        path.write_text("before")
    git("init"), git("add", "."), git("commit", "-m", "first")
    clean = measure.commit(tmp_path)
    row.write_text("after")
    assert measure.commit(tmp_path) == clean and len(clean) >= 7
    source.write_text("after")
    assert measure.commit(tmp_path) == f"{clean}-dirty"


def test_names_tell_cases_apart():
    known = tool.catalogue()
    assert known["LidDrivenCavity-reynolds=400-laptop-soap-0"].problem.reynolds == 400
    assert known["ablation-Burgers-base-2"].seed == 2
    assert set(ablations.VARIANTS) == {task.variant for task in known.values()} - {""}
    assert all(re.fullmatch(r"[\w=.+-]+", name) for name in known)


def test_every_stored_row_is_in_the_catalogue():
    known = tool.catalogue() | tool.catalogue("gpu")
    for row in results.rows():
        task = known[row.name]
        assert (task.case, task.optimizer, task.seed, task.variant) == (
            row.case, row.optimizer, row.seed, row.variant,
        )  # fmt: skip


def test_a_row_is_written_with_its_network(tiny, monkeypatch):
    row = tool.train(TASK, tiny)
    assert results.read(TASK.name, tiny) == row == results.rows(tiny, problem="Burgers")[0]
    assert row.run(tiny).relative_error() == row.errors
    assert row.steps == 4 and row.versions["jax"] and row.hardware and row.date
    another = replace(TASK, seed=2)
    assert tool._steps_of_others(another, tiny) is None
    monkeypatch.setattr(tool.Task, "seconds", property(lambda task: 0.02))
    assert tool._steps_of_others(another, tiny) == 4
    assert not (tiny / "unfinished" / TASK.name).exists()


def test_steps_fill_the_time_and_are_measured_once(tiny, monkeypatch):
    monkeypatch.setattr(tool.Task, "seconds", property(lambda task: 0.02))
    trials = []
    solve = pinnkit.solve

    def counting(*arguments, **options):
        trials.append(options["steps"])
        return solve(*arguments, **options)

    monkeypatch.setattr(pinnkit, "solve", counting)
    folder = tiny / "unfinished"
    steps = tool._steps_within(TASK, TINY, folder)
    assert tool._steps_within(TASK, TINY, folder) == steps >= 500
    assert trials == [1500]


def test_unknown_rows_are_named_with_what_is_near(tiny):
    with pytest.raises(SystemExit, match="unknown row 'Burger-laptop-soap-0'.*Burgers-laptop-soap"):
        tool.matching(["Burger-laptop-soap-0"], tool.catalogue())
    assert tool.matching(["Wave-*-0", "Wave-laptop-soap-*"], tool.catalogue())[-1].endswith("2")


def test_stored_rows_are_kept_unless_replaced(tiny, monkeypatch, capsys):
    row = tool.train(TASK, tiny)
    replace(row, commit="1234567").write(tiny)
    assert tool._is_kept(TASK.name, tiny, replace=False)
    monkeypatch.setattr(tool, "commit", lambda: "89abcde-dirty")
    assert tool._is_kept(TASK.name, tiny, replace=True)
    assert "Commit first" in capsys.readouterr().out
    monkeypatch.setattr(tool, "commit", lambda: "89abcde")
    assert not tool._is_kept(TASK.name, tiny, replace=True)
    replace(row, commit="").write(tiny)
    assert results.read(TASK.name, tiny).undocumented() == ["commit"]
    assert not tool._is_kept("Wave-laptop-soap-0", tiny, replace=False)


def test_files_that_are_no_rows(tmp_path):
    (tmp_path / "x.json").write_text(json.dumps({"name": "x"}))
    with pytest.raises(ValueError, match=r"x\.json is no row of results"):
        results.read("x", tmp_path)
    with pytest.raises(TypeError, match="rows have no"):
        results.rows(optimiser="soap")


def sweep(folder, *more):
    names = ["Burgers-test-*-0", "Wave-test-soap-0"]
    command = [sys.executable, tool.__file__, *names, "--preset", "test", "--out"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([*command, folder, *more], **pipes)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sweep_that_is_stopped_goes_on(tmp_path, number):
    first = sweep(tmp_path)
    said = first.stdout.readline()
    assert "Burgers-test-soap-0: error" in said
    first.send_signal(number)
    assert "the same command goes on" in first.communicate(timeout=120)[0]
    assert first.returncode == 1
    # the second row may have been at its end already; the third was never begun
    assert not (tmp_path / "Wave-test-soap-0.json").exists()
    if number == signal.SIGTERM:
        return
    second = sweep(tmp_path)
    said = second.communicate(timeout=180)[0]
    assert second.returncode == 0, said
    assert "Burgers-test-soap-0: stored" in said and "Wave-test-soap-0: error" in said
    assert "nothing is stored to compare it with" in said
    assert len(results.rows(tmp_path)) == 3


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cores are Linux's")
def test_no_more_jobs_than_cores(tmp_path):
    process = sweep(tmp_path, "--jobs", "1000")
    assert "--jobs must be 1 to" in process.communicate(timeout=60)[0]


@pytest.mark.parametrize("variant", ablations.VARIANTS)
def test_every_ablation_trains_a_loss_that_its_network_has(variant):
    problem = pinnkit.problems.AllenCahn()
    recipe = ablations.VARIANTS[variant].recipe(problem)
    weights = {} if isinstance(recipe.weights, pinnkit.AdaptiveWeights) else recipe.weights
    Loss(problem, weights, recipe.causal, ("initial",) if recipe.network.get("hard") else ())
