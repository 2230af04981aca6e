"""A run that is killed at any moment and resumed is bit for bit the run that was not."""

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import pinnkit
from tests.test_checkpoints import EVERY, same_run

CHILD = """
import os, sys
log = os.open(sys.argv[1] + "/log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
say = lambda *words: os.write(log, (" ".join(map(str, words)) + "\\n").encode())
say("started")
import jax
folder, steps, cache = sys.argv[1:4]
if cache:
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
import pinnkit
from pinnkit.checkpoints import Store
from pinnkit.monitors import Monitor
from pinnkit.training_step import TrainingStep

def reported(owner, name, before, after):
    plain = getattr(owner, name)
    def method(self, *args, **options):
        say(before, *(int(a.step) for a in args[:1]))
        result = plain(self, *args, **options)
        say(after, int((args[0] if result is None or name == "__call__" else result[0]).step))
        return result
    setattr(owner, name, method)

reported(Store, "save", "saving", "saved")
reported(Store, "restore", "restoring", "resumed")
reported(Monitor, "__call__", "measuring", "step")
compile = TrainingStep.compile
TrainingStep.compile = lambda self, state: say("compiling") and compile(self, state)
say("imported")
problem = pinnkit.problems.Burgers(viscosity=0.1)
run = pinnkit.fit(
    problem,
    pinnkit.network(problem, width=8, depth=2),
    pinnkit.soap(1e-3, precondition_frequency=3),
    steps=int(steps),
    points=pinnkit.UniformSampler(interior=32, condition=8),
    monitor_every=4,
    checkpoint=folder + "/checkpoints" if "plain" not in sys.argv else None,
    checkpoint_every=20,
    progress=False,
)
say("done", run.status)
run.save(folder + "/result")
"""


class Child:
    """A training process that writes what it does to a log, in a folder it may find used."""

    def __init__(self, folder: Path, steps: int, cache: Path | None, *options):
        self.folder, self.past = folder, self.lines(folder)
        arguments = [str(folder), str(steps), str(cache or ""), *options]
        with (folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", CHILD, *arguments], stdout=output, stderr=output
            )

    @staticmethod
    def lines(folder) -> list[str]:
        log = folder / "log"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def said(self) -> list[str]:
        return self.lines(self.folder)[len(self.past) :]

    def wait(self, event, seconds: float = 300) -> None:
        """Until event() is true or the process has ended."""
        deadline = time.monotonic() + seconds
        while not event() and self.process.poll() is None:
            assert time.monotonic() < deadline, "the training process hangs"
            time.sleep(0.0005)

    def wait_for(self, word: str, count: int = 1) -> None:
        self.wait(lambda: sum(line.startswith(word) for line in self.said) >= count)

    def finish(self) -> int:
        self.wait(lambda: False)
        return self.process.returncode

    def kill(self) -> str:
        """The last line it wrote."""
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait() == -signal.SIGKILL, (self.folder / "output").read_text()
        return self.said[-1].split()[0] if self.said else "not started"

    def terminate(self) -> str:
        """SIGTERM: it saves the step it is at, and says by its exit code that it has."""
        self.process.send_signal(signal.SIGTERM)
        assert self.finish() == 128 + signal.SIGTERM, (self.folder / "output").read_text()
        seen, saved = (
            [number(line) for line in self.said if line.startswith(word)]
            for word in ("step", "saved")
        )
        assert saved[-1] >= seen[-1]
        return "terminated"


def number(line: str) -> int:
    return int(line.split()[1])


def kill_somewhere(child: Child, where: str, chance: random.Random) -> str:
    if where == "import":
        time.sleep(chance.uniform(0, 1.0))
    elif where == "compile":
        child.wait_for("compiling")
        time.sleep(chance.uniform(0, 1.5))
    elif where in ("training", "terminate"):
        child.wait_for("step", chance.randint(1, 30))
        time.sleep(chance.uniform(0, 0.01))
        if where == "terminate":
            return child.terminate()
    else:
        saving = child.folder / "checkpoints"
        child.wait_for("compiling")  # what an earlier kill left is removed by then
        child.wait(lambda: any(saving.glob(".saving-*")))
        time.sleep(chance.uniform(0, 0.05))
    return child.kill()


@pytest.mark.slow
def test_killed_at_random_moments_and_resumed_is_bit_for_bit_the_same(tmp_path, capsys):
    """PINNKIT_KILLS=20 makes it more thorough, and three times longer."""
    kills = int(os.environ.get("PINNKIT_KILLS", 8))
    started = time.monotonic()
    steps, cache = 150 * kills, tmp_path / "cache"
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    assert Child(whole, steps, cache, "plain").finish() == 0

    chance = random.Random(kills)
    places = ["training", "save", "terminate", "import", "save", "terminate", "compile", "training"]
    landed = []
    for where in itertools.islice(itertools.cycle(places), kills):
        child = Child(broken, steps, None if where == "compile" else cache)
        landed.append(kill_somewhere(child, where, chance))
        assert_nothing_lost(child)
    last = Child(broken, steps, cache)
    assert last.finish() == 0, (broken / "output").read_text()
    assert_nothing_lost(last)
    assert last.said[-1] == f"done completed {steps} steps"

    same_run(pinnkit.load(whole / "result"), pinnkit.load(broken / "result"))
    assert {"saving"} <= set(landed), landed
    with capsys.disabled():
        print(f"\n{kills} kills in {time.monotonic() - started:.0f} s, after: {sorted(landed)}")


def assert_nothing_lost(child: Child) -> None:
    """It went on from the last checkpoint that was complete, one interval back at most."""
    if not any(line.startswith("compiling") for line in child.said):
        return
    resumed = [number(line) for line in child.said if line.startswith("resumed")] or [0]
    saved = [number(line) for line in child.past if line.startswith("saved")]
    seen = [number(line) for line in child.past if line.startswith("step")]
    assert resumed[0] >= max(saved, default=0)
    assert resumed[0] >= max(seen, default=0) - EVERY
