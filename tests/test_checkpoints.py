"""Whatever strikes a run, what it has computed is still there: kills, damage, full disks."""

import errno
import functools
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import pinnkit
from pinnkit import sealed
from pinnkit.checkpoints import Store
from pinnkit.history import History
from pinnkit.problems import Burgers, Wave
from pinnkit.terms import Loss
from pinnkit.training_step import TrainingStep

PROBLEM = Burgers(viscosity=0.1)
POINTS = pinnkit.UniformSampler(interior=32, condition=8)
EVERY = 20


def network(**options):
    return pinnkit.network(PROBLEM, **({"width": 8, "depth": 2} | options))


def first_state(optimizer=None, module=None, seed=0, dtype=jnp.float32):
    optimizer = optax.with_extra_args_support(optimizer or pinnkit.soap(1e-3))
    step = TrainingStep(Loss(PROBLEM), module or network(), optimizer, POINTS, dtype)
    return step.initial_state(seed)


@functools.cache
def untrained():
    return first_state()


def at_step(n):
    """A state after n steps, every array of it different from those of other n."""
    state = untrained()
    params, optimizer = jax.tree.map(lambda x: x + n, (state.params, state.optimizer))
    key = jax.random.fold_in(state.key, n)
    return state._replace(step=jnp.int32(n), params=params, optimizer=optimizer, key=key)


def history(n):
    return History({"step": list(range(n)), "seconds": [0.1 * k for k in range(n)]})


def stored(folder, *steps, settings=None):
    store = Store(folder, PROBLEM, network(), settings)
    for n in steps:
        store.save(at_step(n), history(n))
    store.close()
    return folder


def same(a, b):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            x, y = jax.random.key_data(x), jax.random.key_data(y)
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


def same_run(a, b):
    assert set(a.history) == set(b.history)
    for name in set(a.history) - {"seconds"}:
        np.testing.assert_array_equal(a.history[name], b.history[name], err_msg=name)
    same(nnx.state(a.network), nnx.state(b.network))


# --- interrupted -----------------------------------------------------------------------------


def small_fit(folder, steps=60, **options):
    settings = {"points": POINTS, "monitor_every": 10, "checkpoint_every": 20, "progress": False}
    optimizer = pinnkit.soap(1e-3, precondition_frequency=3)
    return pinnkit.fit(
        PROBLEM, network(), optimizer, steps=steps, checkpoint=folder, **(settings | options)
    )


def test_an_interrupt_during_a_save_finishes_it_and_returns_the_run(tmp_path, monkeypatch):
    write = sealed.write

    def interrupted(*args):
        signal.raise_signal(signal.SIGINT)
        write(*args)

    monkeypatch.setattr(sealed, "write", interrupted)
    run = small_fit(tmp_path)
    assert run.status == "stopped by the user at step 20 of 60"
    assert Store(tmp_path, PROBLEM, network()).latest == 20
    monkeypatch.undo()
    same_run(small_fit(tmp_path), small_fit(None))


@pytest.mark.parametrize("strike", [KeyboardInterrupt, MemoryError, SystemExit])
def test_a_save_that_is_cut_short_leaves_the_last_checkpoint(tmp_path, monkeypatch, strike):
    """The second interrupt raises, wherever the save happens to be."""
    stored(tmp_path, 20)
    store = Store(tmp_path, PROBLEM, network())

    def fsync(_):
        raise strike("now")

    monkeypatch.setattr(os, "fsync", fsync)
    if issubclass(strike, Exception):
        with pytest.warns(RuntimeWarning, match="no checkpoint could be saved at step 40.*now"):
            store.save(at_step(40), history(40))
    else:
        with pytest.raises(strike):
            store.save(at_step(40), history(40))
    monkeypatch.undo()
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "step-20"]
    same(store.restore(untrained())[0], at_step(20))
    store.save(at_step(40), history(40))
    same(store.restore(untrained())[0], at_step(40))


def test_what_a_killed_save_left_is_removed(tmp_path):
    (tmp_path / ".saving-40" / "state").mkdir(parents=True)
    stored(tmp_path, 20)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "step-20"]


# --- kept, continued -------------------------------------------------------------------------


def test_every_array_and_row_returns_and_the_two_newest_are_kept(tmp_path):
    store = Store(stored(tmp_path, 20, 40, 60), PROBLEM, network())
    assert store.latest == 60
    state, rows = store.restore(untrained())
    same(state, at_step(60))
    assert rows.to_dict() == history(60).to_dict()
    assert sorted(p.name for p in tmp_path.glob("step-*")) == ["step-40", "step-60"]


def test_random_keys_and_unusual_dtypes_return(tmp_path):
    state = first_state()._replace(
        optimizer=(jax.random.key(3), None, optax.EmptyState(), jnp.ones((2,), jnp.bfloat16) / 3)
    )
    store = Store(tmp_path, PROBLEM, network())
    store.save(state, history(1))
    same(store.restore(state)[0], state)


def test_a_folder_that_vanishes_while_training_is_made_again(tmp_path):
    store = Store(stored(tmp_path / "run", 20), PROBLEM, network())
    shutil.rmtree(tmp_path / "run")
    store.save(at_step(40), history(40))
    assert store.latest == 40


def test_two_processes_cannot_train_in_one_folder(tmp_path):
    store = Store(tmp_path, PROBLEM, network())
    script = (
        "import sys; from filelock import FileLock, Timeout\n"
        "try: FileLock(sys.argv[1], timeout=0).acquire()\n"
        "except Timeout: print('in use')\n"
    )
    ask = [sys.executable, "-c", script, str(tmp_path / ".lock")]
    assert subprocess.run(ask, capture_output=True, text=True).stdout == "in use\n"
    Store(tmp_path, PROBLEM, network()).close()  # a notebook may run its cell again
    store.close()
    assert subprocess.run(ask, capture_output=True, text=True).stdout == ""


def test_a_folder_that_another_process_uses_is_refused(tmp_path):
    script = (
        "import sys; from filelock import FileLock\n"
        "lock = FileLock(sys.argv[1]); lock.acquire(); print('mine', flush=True); input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / ".lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    other.stdout.readline()
    with pytest.raises(BlockingIOError, match="another process trains in .*choose another"):
        Store(tmp_path, PROBLEM, network())
    other.communicate(b"\n")
    Store(tmp_path, PROBLEM, network()).close()


# --- damaged ---------------------------------------------------------------------------------

DAMAGES = {
    "empty": lambda data: b"",
    "half": lambda data: data[: len(data) // 2],
    "zeros": lambda data: bytes(len(data)),
    "one bit": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "gone": None,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_torn_checkpoint_is_passed_over(tmp_path, damage):
    """As a power failure may leave it: any file of the newest one, in any state."""
    good = stored(tmp_path / "good", 20, 40)
    files = [p.relative_to(good) for p in (good / "step-40").rglob("*") if p.is_file()]
    assert len(files) > 8
    module = network()
    for i, name in enumerate(files):
        folder = shutil.copytree(good, tmp_path / str(i))
        if damage == "gone":
            (folder / name).unlink()
        else:
            data = (folder / name).read_bytes()
            (folder / name).write_bytes(DAMAGES[damage](data) if data else b"\0")
        store = Store(folder, PROBLEM, module)
        with pytest.warns(RuntimeWarning, match=r"step 40 in .* is damaged .* from step 20"):
            state, rows = store.restore(untrained())
        same(state, at_step(20))
        assert len(rows["step"]) == 20
        assert store.latest == 20 and (folder / "damaged-40").exists()
        store.save(at_step(40), history(40))
        same(store.restore(untrained())[0], at_step(40))


def test_nothing_readable_is_said_and_nothing_is_touched(tmp_path):
    stored(tmp_path, 20, 40)
    for path in tmp_path.glob("step-*/data.json"):
        path.write_text("{")
    before = sorted(tmp_path.rglob("*"))
    store = Store(tmp_path, PROBLEM, network())
    expected = r"no checkpoint in .* step 40 is damaged \(data.json is not as it was.*step 20"
    with pytest.raises(ValueError, match=f"{expected}.*use another folder, or remove this one"):
        store.restore(untrained())
    assert sorted(tmp_path.rglob("*")) == before


def test_folders_that_are_no_checkpoints_are_left_alone(tmp_path):
    for name in ("step-final", "step-", "70", "notes"):
        (tmp_path / name).mkdir()
    store = Store(tmp_path, PROBLEM, network())
    assert store.latest is None
    store.save(at_step(20), history(20))
    assert store.latest == 20


# --- of something else -----------------------------------------------------------------------

OTHERS = {
    "problem": (Wave(), {}, {}, 'another problem: class is "Burgers" there and "Wave" here'),
    "viscosity": (Burgers(viscosity=0.2), {}, {}, "viscosity is 0.1 there and 0.2 here"),
    "width": (PROBLEM, {"width": 9}, {}, "another network: width is 8 there and 9 here"),
    "kind": (PROBLEM, {"kind": "PirateNet"}, {}, 'kind is "MLP" there and "PirateNet" here'),
    "dtype": (PROBLEM, {"dtype": "float64"}, {}, 'dtype is "float32" there and "float64" here'),
    "weights": (PROBLEM, {"seed": 1}, {}, "another network: seed is 0 there and 1 here"),
    "seed": (PROBLEM, {}, {"seed": 1}, "another setting: seed is 0 there and 1 here"),
    "points": (PROBLEM, {}, {"points": pinnkit.UniformSampler()}, "condition is 8 there and 128"),
    "term weights": (
        PROBLEM,
        {},
        {"weights": {"initial": 10.0}},
        'initial is "nothing" there and 10.0 here',
    ),
    "causal": (
        PROBLEM,
        {},
        {"causal": pinnkit.CausalWeights()},
        'causal is null there and {"class": "CausalWeights", "tolerance": 1.0, "chunks": 16} here',
    ),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_checkpoint_of_something_else_is_refused(tmp_path, other):
    problem, options, settings, message = OTHERS[other]
    ours = {"seed": 0, "points": POINTS, "weights": {}, "causal": None}
    stored(tmp_path, 20, settings=ours)
    store = Store(tmp_path, problem, network(**options), ours | settings)
    with pytest.raises(ValueError, match=f"step-20 belongs to .*{message}") as caught:
        store.restore(untrained())
    assert "Use another folder, or remove this one to start afresh" in str(caught.value)


@pytest.mark.parametrize(
    "optimizer", [optax.adam(1e-3), pinnkit.soap(1e-3, precondition_1d=True), optax.lbfgs()]
)
def test_a_checkpoint_of_another_optimizer_is_refused(tmp_path, optimizer):
    store = Store(stored(tmp_path, 20), PROBLEM, network())
    with pytest.raises(ValueError, match=r"another optimizer: .* and \d+ more. Use another folder"):
        store.restore(first_state(optimizer))


class Own(nnx.Module):
    """A reader's own network, of which a file knows no more than its arrays."""

    def __init__(self, width=8, seed=0, dtype=jnp.float32):
        a, b = jax.random.split(jax.random.key(seed))
        self.frequencies = nnx.Variable(jax.random.normal(a, (2, width), dtype))
        self.kernel = nnx.Param(jax.random.normal(b, (width, 1), dtype))

    def __call__(self, point):
        return jnp.sin(point @ self.frequencies[...]) @ self.kernel[...]


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Own(width=9), "another network: constants is"),
        (Own(seed=1), "another network: constants is"),
        (Own(), None),
    ],
)
def test_a_network_of_ones_own_is_told_by_its_arrays(tmp_path, module, message):
    store = Store(tmp_path, PROBLEM, Own())
    store.save(first_state(module=Own()), history(1))
    store.close()
    store = Store(tmp_path, PROBLEM, module)
    if message is None:
        store.restore(first_state(module=module))
    else:
        with pytest.raises(ValueError, match=message):
            store.restore(first_state(module=module))


def test_parameters_of_another_shape_or_dtype_are_refused(tmp_path):
    stored(tmp_path, 20)
    store = Store(tmp_path, PROBLEM, network())
    state = first_state()
    wide = state._replace(params=jax.tree.map(lambda x: jnp.zeros((*x.shape, 2)), state.params))
    half = state._replace(params=jax.tree.map(lambda x: x.astype(jnp.bfloat16), state.params))
    for wrong, kind in ((wide, r"float32\[8, 2\]"), (half, r"bfloat16\[8\]")):
        with pytest.raises(ValueError, match=rf'another network: .*bias is "float32\[8\]".*{kind}'):
            store.restore(wrong)


def test_another_format_version_is_refused(tmp_path):
    stored(tmp_path, 20)
    path = tmp_path / "step-20"
    run = json.loads((path / "data.json").read_text())
    run["about"] |= {"format": 99, "pinnkit": "7.0"}
    (path / "data.json").write_text(json.dumps(run))
    reseal(path)
    expected = "has format 99, .* reads 2: use the version that wrote it, 7.0. Or use another"
    with pytest.raises(ValueError, match=expected):
        Store(tmp_path, PROBLEM, network()).restore(untrained())


def test_a_checkpoint_without_weights_is_refused_by_its_format(tmp_path):
    """Format 1 is that of states without points and weights, which cannot be continued."""
    stored(tmp_path, 20)
    path = tmp_path / "step-20"
    arrays, run = sealed.read(path)
    old = {n: a for n, a in arrays.items() if n.split("/")[0] not in ("points", "weights")}
    assert len(old) < len(arrays)
    shutil.rmtree(path)
    sealed.write(path, old, run | {"about": run["about"] | {"format": 1}})
    with pytest.raises(ValueError, match=r"step-20 has format 1, .* reads 2: use the version that"):
        Store(tmp_path, PROBLEM, network()).restore(untrained())


def test_a_checkpoint_of_other_terms_is_refused(tmp_path):
    """An equation of one's own may have changed without a change of its name."""
    stored(tmp_path, 20)
    state = first_state()
    other = state._replace(weights={"pde": state.weights["pde"]})
    with pytest.raises(ValueError, match='another set of loss terms: weights/initial is "float32'):
        Store(tmp_path, PROBLEM, network()).restore(other)


def test_other_steps_than_those_it_began_with_are_a_warning(tmp_path):
    store = Store(tmp_path, PROBLEM, network())
    store.check_program("learning rate 0.1")
    store.save(at_step(20), history(20))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.restore(untrained())
        store.check_program("learning rate 0.1")
    with pytest.warns(RuntimeWarning, match="with other steps than it began with: the optimizer's"):
        store.check_program("learning rate 0.2")


# --- disks -----------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A disk of a megabyte, room for a few checkpoints."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs the right to mount a tmpfs: {error}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path, left: int) -> None:
    (disk / "ballast").write_bytes(bytes(shutil.disk_usage(disk).free - left))


def test_a_full_disk_costs_only_the_checkpoints(small_disk):
    folder = small_disk / "run"
    small_fit(folder, steps=20)
    fill(small_disk, left=16_384)
    with pytest.warns(RuntimeWarning, match="no checkpoint could be saved") as caught:
        run = small_fit(folder)
    assert run.status == "completed 60 steps" and len(run.history["step"]) == 7
    (warning,) = [str(w.message) for w in caught if "no checkpoint" in str(w.message)]
    assert "at step 40" in warning and "No space left on device. Training goes on" in warning
    assert [p.name for p in sorted(folder.iterdir())] == [".lock", "step-20"]
    (small_disk / "ballast").unlink()
    same_run(small_fit(folder), run)
    assert Store(folder, PROBLEM, network()).latest == 60


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of orbax
def test_a_disk_that_fills_up_during_a_save(small_disk, monkeypatch):
    monkeypatch.setattr(sealed, "_check_space", lambda *_: None)
    store = Store(stored(small_disk, 20), PROBLEM, network())
    fill(small_disk, left=16_384)
    with pytest.warns(RuntimeWarning, match="no checkpoint could be saved at step 40"):
        store.save(at_step(40), history(40))
    assert not list(small_disk.glob(".saving-*"))
    same(store.restore(untrained())[0], at_step(20))


def test_a_disk_that_turns_read_only_costs_only_the_checkpoints(small_disk):
    store = Store(stored(small_disk, 20), PROBLEM, network())
    store.close()  # nothing is open for writing, else the system refuses
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.warns(RuntimeWarning, match="no checkpoint could be saved at step 40.*Read-only"):
        store.save(at_step(40), history(40))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is said once
        store.save(at_step(60), history(60))
    same(store.restore(untrained())[0], at_step(20))
    with pytest.raises(OSError, match="cannot write checkpoints to .*Read-only"):
        Store(small_disk, PROBLEM, network())
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    store.save(at_step(80), history(80))
    assert store.latest == 80


def test_an_error_of_the_disk_without_a_disk(tmp_path, monkeypatch):
    store = Store(stored(tmp_path, 20), PROBLEM, network())

    def no_space(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.warns(RuntimeWarning, match="No space left on device.*run.save"):
        store.save(at_step(40), history(40))
    assert store.latest == 20


# --- no code ---------------------------------------------------------------------------------


class Malice:
    """Creates a file when it is unpickled."""

    def __init__(self, proof):
        self.proof = str(proof)

    def __reduce__(self):
        return Path.touch, (Path(self.proof),)


def reseal(folder: Path) -> None:
    """What somebody does who knows how seals are made."""
    (folder / "seal.json").write_text(json.dumps(sealed._checksums(folder)))


def read_all(folders) -> None:
    """Try to restore from each; run by itself, for orbax is loud about what it cannot read."""
    for folder in folders:
        try:
            Store(folder, PROBLEM, network()).restore(untrained())
        except ValueError as error:
            print("refused", error)
        else:
            print("restored")


def test_a_checkpoint_is_read_without_running_what_is_in_it(tmp_path):
    proof = tmp_path / "proof"
    payload = pickle.dumps(Malice(proof))
    pickle.loads(payload)
    assert proof.exists(), "it is not malicious to begin with"
    proof.unlink()

    good = stored(tmp_path / "good", 20)
    names = [p.relative_to(good) for p in (good / "step-20").rglob("*") if p.is_file()]
    names += [Path("step-20/arrays/checkpoint"), Path("step-20/arrays/_sharding")]
    folders = [good]
    for i, name in enumerate(names):
        folders.append(shutil.copytree(good, tmp_path / str(i)))
        (folders[-1] / name).write_bytes(payload)
        if name.name != "seal.json":
            reseal(folders[-1] / "step-20")
    script = "import sys; from tests.test_checkpoints import read_all; read_all(sys.argv[1:])"
    result = subprocess.run(
        [sys.executable, "-c", script, *map(str, folders)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    outcomes = result.stdout.splitlines()
    assert len(outcomes) == len(folders) and outcomes[0] == "restored"
    assert sum(line.startswith("refused no checkpoint") for line in outcomes) > 4
    assert not proof.exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("about", ["__import__('os').abort()"]),
        ("history", {"loss": ["__import__('os').abort()"]}),
        ("history", "__import__('os').abort()"),
        ("history", {"loss": [1.0], "step": []}),
    ],
)
def test_odd_data_under_a_good_seal_is_refused(tmp_path, key, value):
    path = stored(tmp_path, 20) / "step-20" / "data.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    reseal(path.parent)
    with pytest.raises(ValueError, match="no checkpoint in .* can be read"):
        Store(tmp_path, PROBLEM, network()).restore(untrained())
