"""Whatever strikes training, what it has computed is kept and goes on from there."""

import functools
import shutil
import signal
import sys

import jax
import numpy as np
import optax
import pytest
from flax import nnx

import pinnkit
from pinnkit import sealed
from pinnkit.checkpoints import Store
from pinnkit.monitors import Monitor
from pinnkit.training_step import TrainingStep
from tests.test_checkpoints import POINTS, PROBLEM, network, same_run


def train(folder, steps=60, rate=1e-3, **options):
    settings = {"points": POINTS, "monitor_every": 10, "checkpoint_every": 20, "progress": False}
    optimizer = pinnkit.soap(rate, precondition_frequency=3)
    return pinnkit.fit(
        PROBLEM, network(), optimizer, steps=steps, checkpoint=folder, **(settings | options)
    )


@pytest.fixture(scope="module")
def whole():
    return train(None)


STRIKES = {
    "no memory": MemoryError("no room"),
    "broken pipe": BrokenPipeError("the notebook went away"),
    "second interrupt": KeyboardInterrupt(),
    "exit": SystemExit(),
}


@pytest.mark.parametrize("where", ["step", "monitor", "progress bar", "save"])
@pytest.mark.parametrize("strike", STRIKES)
def test_an_error_carries_the_run_and_leaves_a_checkpoint(
    tmp_path, monkeypatch, whole, where, strike
):
    calls = 0

    def strikes(plain, when):
        @functools.wraps(plain)
        def method(*args, **options):
            nonlocal calls
            calls += 1
            if calls == when:
                raise STRIKES[strike]
            return plain(*args, **options)

        return method

    if where == "step":
        plain = TrainingStep.compile

        def compiled(self, state):
            advance, program = plain(self, state)
            return strikes(advance, 6), program

        monkeypatch.setattr(TrainingStep, "compile", compiled)
    elif where == "monitor":
        monkeypatch.setattr(Monitor, "__call__", strikes(Monitor.__call__, 4))
    elif where == "progress bar":
        tqdm = sys.modules["pinnkit.fit"].tqdm
        monkeypatch.setattr(tqdm, "update", strikes(tqdm.update, 6))
    else:
        monkeypatch.setattr(sealed, "write", strikes(sealed.write, 2))
        if isinstance(STRIKES[strike], Exception):
            with pytest.warns(RuntimeWarning, match="no checkpoint could be saved at step 40"):
                same_run(train(tmp_path), whole)
            return
    kind = type(STRIKES[strike])
    if issubclass(kind, Exception):
        with pytest.warns(RuntimeWarning, match=f"{kind.__name__} after step .*was kept"):
            run = train(tmp_path)
        assert run.failed
    else:
        with pytest.raises(kind) as caught:
            train(tmp_path)
        run = caught.value.run
        assert any("sys.last_value.run" in note for note in caught.value.__notes__)
    assert run.status.startswith(f"{kind.__name__} after step {run.steps}")
    assert 0 < run.steps < 60 and len(run.history["step"]) > 1
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(nnx.state(run.network)))
    monkeypatch.undo()
    with Store(tmp_path, PROBLEM, network()) as store:
        assert store.latest == run.steps
    same_run(train(tmp_path), whole)


def test_a_second_interrupt_while_a_step_is_running(tmp_path, monkeypatch, whole):
    write = Store.save

    def pressed_twice(self, *args):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        write(self, *args)

    monkeypatch.setattr(Store, "save", pressed_twice)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path)
    monkeypatch.undo()
    same_run(train(tmp_path), whole)


def test_another_learning_rate_is_a_warning(tmp_path):
    train(tmp_path, steps=20)
    with pytest.warns(RuntimeWarning, match="with other steps than it began with"):
        train(tmp_path, steps=40, rate=1e-4)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    folder = tmp_path_factory.mktemp("begun")
    train(folder, steps=20)
    return folder


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 1}, "seed is 0 there and 1 here"),
        ({"weights": {"initial": 2.0}}, 'initial is "nothing" there and 2.0 here'),
        ({"points": pinnkit.UniformSampler(interior=33, condition=8)}, "interior is 32 there and"),
        ({"causal": pinnkit.CausalWeights()}, "causal is null there"),
    ],
)
def test_other_settings_are_refused(begun, options, message):
    with pytest.raises(ValueError, match=f"another setting: {message}"):
        train(begun, **options)


def test_a_weight_of_one_is_no_other_setting(begun, tmp_path):
    shutil.copytree(begun, tmp_path / "run")
    run = train(tmp_path / "run", steps=40, weights={"initial": 1.0})
    assert run.status == "completed 40 steps"


def test_a_run_that_was_longer_says_so(tmp_path):
    train(tmp_path, steps=40)
    run = train(tmp_path, steps=20)
    assert (run.status, run.steps) == ("completed 40 steps", 40)


OPTIMIZERS = {
    "adam": optax.adam(1e-3),
    "muon": optax.contrib.muon(1e-3),
    "lbfgs": optax.lbfgs(),
    "schedule": pinnkit.soap(optax.warmup_cosine_decay_schedule(0.0, 1e-3, 10, 60)),
    "accumulated": optax.MultiSteps(optax.adam(1e-3), 3).gradient_transformation(),
    "noisy": optax.chain(optax.add_noise(0.1, 0.5, 3), optax.sgd(1e-3)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_resumes_bit_for_bit(tmp_path, name, recwarn):
    def go(folder, steps):
        return pinnkit.fit(
            PROBLEM,
            network(),
            OPTIMIZERS[name],
            steps=steps,
            points=POINTS,
            monitor_every=10,
            checkpoint=folder,
            progress=False,
        )

    go(tmp_path, 30)
    same_run(go(tmp_path, 60), go(None, 60))
    assert not [w for w in recwarn if "other steps" in str(w.message)]
