"""Files of runs: whole or absent, of the right kind, never code; and the button that stops one."""

import errno
import io
import json
import os
import pickle
import signal
import stat
import threading
import warnings
import zipfile
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import pinnkit
from pinnkit.history import History
from pinnkit.interrupt import StopButton
from pinnkit.problems import Burgers
from pinnkit.run import Run
from tests.test_checkpoints import Malice, Own
from tests.test_terms import Heat

PROBLEM = Burgers(viscosity=0.1)
ROWS = History({"step": [0, 10], "seconds": [0.0, 0.5], "loss": [1.0, float("nan")]})


def a_run(problem=PROBLEM, network=None, **facts):
    network = network or pinnkit.network(problem, width=8, depth=1)
    return Run(problem, network, ROWS, **({"status": "by hand", "steps": 10} | facts))


def same(a, b):
    leaves = (jax.tree.leaves(nnx.state(r.network)) for r in (a, b))
    for x, y in zip(*leaves, strict=True):
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            x, y = jax.random.key_data(x), jax.random.key_data(y)
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)
    assert str(a.history.to_dict()) == str(b.history.to_dict())  # nan equals nan
    assert (a.status, a.steps, a.seed) == (b.status, b.steps, b.seed)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_run_returns_to_the_last_bit(tmp_path, dtype):
    options = {"width": 8, "depth": 1, "dtype": dtype, "fourier_features": 4, "hard": True}
    run = a_run(network=pinnkit.network(PROBLEM, "PirateNet", **options), seed=np.int64(7))
    loaded = pinnkit.load(run.save(tmp_path / "run"))
    same(run, loaded)
    assert loaded.problem == PROBLEM


def test_a_dot_in_a_name_begins_no_ending(tmp_path):
    """nu0.01 and nu0.02 are two files."""
    for n, name in enumerate(["nu0.01", "nu0.02", "nu0", "nu0.03.npz"]):
        assert a_run(steps=n).save(tmp_path / name).name == name.removesuffix(".npz") + ".npz"
    assert [pinnkit.load(tmp_path / f"nu0.0{k}").steps for k in (1, 2, 3)] == [0, 1, 3]
    assert pinnkit.load(tmp_path / "nu0").steps == 2


def test_the_home_folder_has_its_short_name(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert a_run().save("~/results/run") == tmp_path / "results" / "run.npz"
    pinnkit.load("~/results/run")


def test_others_may_read_what_the_umask_lets_them(tmp_path):
    before = os.umask(0o022)
    try:
        path = a_run().save(tmp_path / "run")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_full_disk_keeps_the_older_file_and_the_run(tmp_path, monkeypatch):
    path = a_run(steps=1).save(tmp_path / "run")

    def no_space(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)
    expected = "not saved to .*run.npz: No space left on device. It is still in memory: choose"
    with pytest.raises(OSError, match=expected) as caught:
        a_run(steps=2).save(path)
    assert caught.value.errno == errno.ENOSPC
    assert pinnkit.load(path).steps == 1
    assert list(tmp_path.iterdir()) == [path]


def test_every_damage_is_noticed(tmp_path):
    """A file with one bit flipped, or cut anywhere, is an error or just what was saved."""
    run = a_run()
    data = run.save(tmp_path / "run").read_bytes()
    path = tmp_path / "damaged.npz"
    chance = np.random.default_rng(0)
    flipped = [(i, 1 << int(chance.integers(8))) for i in range(0, len(data), 3)]
    damaged = [data[:i] + bytes([data[i] ^ bit]) + data[i + 1 :] for i, bit in flipped]
    damaged += [data[:n] for n in range(0, len(data), 101)]
    noticed = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            same(run, pinnkit.load(path))
        except ValueError as error:
            noticed += 1
            assert "damaged" in str(error) or "not a whole run" in str(error)  # noqa: PT017
    assert noticed > len(damaged) / 2


def test_loading_runs_no_code(tmp_path):
    proof = tmp_path / "proof"
    whole = a_run().save(tmp_path / "run")
    pickled = np.array([Malice(proof)], dtype=object)
    for name in ("meta.npy", "network/0.npy", "seal.npy"):
        path = tmp_path / "malicious.npz"
        with zipfile.ZipFile(whole) as good, zipfile.ZipFile(path, "w") as bad:
            for entry in good.namelist():
                content = io.BytesIO(good.read(entry))
                if entry == name:
                    np.save(content := io.BytesIO(), pickled, allow_pickle=True)
                bad.writestr(entry, content.getvalue())
        with pytest.raises(ValueError, match="not a whole run.*allow_pickle=False"):
            pinnkit.load(path)
    path.write_bytes(pickle.dumps(Malice(proof)))
    with pytest.raises(ValueError, match="not a whole run"):
        pinnkit.load(path)
    assert not proof.exists()
    np.load(path, allow_pickle=True)
    assert proof.exists(), "the file was not malicious to begin with"


def forged(tmp_path, **changes):
    """A file that is whole, but says something odd."""
    from pinnkit.run import _checksum

    with np.load(a_run().save(tmp_path / "run")) as file:
        arrays = {n: file[n] for n in file.files if n.startswith("network")}
        meta = json.loads(str(file["meta"]))
    for where, value in changes.items():
        first, *rest = where.split("__")
        target = meta if not rest else meta[first]
        target[(rest or [first])[0]] = value
    meta = json.dumps(meta)
    path = tmp_path / "forged.npz"
    np.savez(path, meta=np.array(meta), seal=_checksum(meta, arrays.values()), **arrays)
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"problem__class": "Condition"}, "'Condition' is not a problem of pinnkit"),
        ({"problem__class": "Problem"}, "'Problem' is not a problem"),
        ({"problem__class": "__loader__"}, "'__loader__' is not a problem"),
        ({"problem__class": ["os"]}, "is not a problem of pinnkit"),
        ({"problem__parameters": {"nu": 1}}, "another Burgers: .*'nu'.*load.path, problem="),
        ({"problem__parameters": {"viscosity": "0"}}, "viscosity must be positive"),
        ({"problem__parameters": 3}, "does not describe a problem"),
        ({"problem": "os.system('true')"}, "does not describe a problem"),
        ({"network": "Own"}, "'Own' is not one of pinnkit's: pass a module"),
        ({"network": {"layers": 3}}, "builds other networks: .*'layers'"),
        ({"network": [1]}, "builds other networks"),
        ({"network__width": 9}, r"holds arrays of shapes .*\(3, 8\).* the network has .*\(3, 9\)"),
        ({"format": 2}, "has format 2, this version of pinnkit .* reads 1: use the version"),
        ({"history": {"loss": [1.0], "step": []}}, "not a whole run.*must be equally long"),
        ({"history": {"loss": ["1"]}}, "not a whole run.*column 'loss' must hold numbers, got '1'"),
        ({"history": [1]}, "not a whole run"),
        ({"run": {"problem": None}}, "not a whole run"),
    ],
)
def test_whole_files_that_say_something_odd(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        pinnkit.load(forged(tmp_path, **changes))


def test_of_another_problem_or_network(tmp_path):
    path = a_run().save(tmp_path / "run")
    with pytest.raises(ValueError, match="viscosity is 0.1 there and 0.2 here. Load it with what"):
        pinnkit.load(path, problem=Burgers(viscosity=0.2))
    with pytest.raises(ValueError, match="another network: width is 8 there and 64 here"):
        pinnkit.load(path, network=pinnkit.network(PROBLEM, depth=1))


def test_problems_and_networks_of_ones_own(tmp_path):
    run = a_run(Heat(), Own())
    path = run.save(tmp_path / "own")
    with pytest.raises(ValueError, match=r"'Heat of your own'.*pass it as load\(path, problem="):
        pinnkit.load(path)
    with pytest.raises(ValueError, match=r"'Own' is not one of pinnkit's.*load\(path, network="):
        pinnkit.load(path, problem=Heat())
    same(run, pinnkit.load(path, problem=Heat(), network=Own(seed=1)))
    with pytest.raises(ValueError, match=r"\(8, 1\).*the network has .*\(9, 1\)"):
        pinnkit.load(path, problem=Heat(), network=Own(width=9))


def test_a_problem_built_by_hand_is_not_taken_for_pinnkits(tmp_path):
    own = type("Burgers", (Heat,), {})()
    path = a_run(own).save(tmp_path / "run")
    with pytest.raises(ValueError, match="'Burgers of your own' is not a problem of pinnkit"):
        pinnkit.load(path)


@dataclass(frozen=True, kw_only=True)
class Odd(Heat):
    """With parameters that JSON does not know."""

    times: tuple = (0.0, 0.5)
    profile: object = None
    table: object = None


def test_parameters_that_json_does_not_know_are_compared_all_the_same(tmp_path):
    odd = Odd(profile=jnp.tanh, table=np.arange(3.0))
    path = a_run(odd).save(tmp_path / "run")
    network = pinnkit.network(odd, width=8, depth=1)
    pinnkit.load(path, problem=odd, network=network)
    for other in (Odd(profile=jnp.tanh, table=np.arange(4.0)), Odd(times=(0.0, 0.6))):
        with pytest.raises(ValueError, match="another problem"):
            pinnkit.load(path, problem=other, network=network)


class Noisy(nnx.Module):
    """Its state holds random keys, and numbers that NumPy does not know."""

    def __init__(self):
        self.kernel = nnx.Param(jnp.ones((2, 1), jnp.bfloat16) / 3)
        self.rngs = nnx.Rngs(3)

    def __call__(self, point):
        return point @ self.kernel[...]


def test_random_keys_and_unusual_dtypes_return(tmp_path):
    run = a_run(network=Noisy())
    same(run, pinnkit.load(run.save(tmp_path / "run"), network=Noisy()))


def test_rows_must_agree():
    rows = History({"step": [0], "loss": [1.0]})
    with pytest.raises(ValueError, match=r"expected a row with \['loss', 'step'\], got \['step'\]"):
        rows.append({"step": 1})
    assert rows.to_dict() == {"step": [0], "loss": [1.0]}
    rows.to_dict()["step"].append(7)
    assert list(rows["step"]) == [0]
    with pytest.raises(KeyError, match="no column 'los': the history has step, loss"):
        rows["los"]


@pytest.mark.parametrize("error", [None, 1e-12, 10.0])
def test_an_error_says_how_far_the_reference_is_to_be_trusted(error):
    axes = {"t": np.linspace(0, 1, 3), "x": np.linspace(0, 1, 4)}
    reference = pinnkit.Reference(axes, {"u": np.ones((3, 4))}, error, "m", "s")
    run = a_run(type("Measured", (Heat,), {"reference": lambda self: reference})())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = run.relative_error()
    said = " ".join(str(w.message) for w in caught)
    assert ("the reference's own error is unknown" in said) == (error is None)
    assert ("it is not resolved" in said) == (error == 10.0)
    assert found.reference == error
    shown = {None: "error unknown", 1e-12: "1.0e-12", 10.0: "1.0e+01"}[error]
    assert repr(found).endswith(f"(reference: {shown})")


def press():
    signal.raise_signal(signal.SIGINT)


def test_the_first_interrupt_is_noted_the_second_raises():
    before = signal.getsignal(signal.SIGINT)
    with StopButton() as stop:
        press()
        assert stop.pressed
        with pytest.raises(KeyboardInterrupt):
            press()
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL, signal.default_int_handler])
def test_the_handler_before_is_restored_after_an_error_too(handler):
    before = signal.signal(signal.SIGINT, handler)
    try:
        with pytest.raises(ZeroDivisionError), StopButton():
            1 / 0  # noqa: B018
        assert signal.getsignal(signal.SIGINT) == handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_handler_that_is_not_pythons_is_left_alone(monkeypatch):
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(signal, "getsignal", lambda _: None)
    with StopButton():
        monkeypatch.undo()
        assert signal.getsignal(signal.SIGINT) is before


def test_outside_the_main_thread_there_is_no_button():
    pressed = []

    def body():
        with StopButton() as stop:
            pressed.append(stop.pressed)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert pressed == [False]


JUPYTER = """
import pinnkit
from pinnkit.monitors import Monitor

problem = pinnkit.problems.Burgers(viscosity=0.1)
plain = Monitor.__call__

def call(self, *args, **options):
    row = plain(self, *args, **options)
    if row["step"] == 200:
        print("now", flush=True)
    return row

Monitor.__call__ = call
run = pinnkit.fit(
    problem,
    pinnkit.network(problem, width=8, depth=1),
    pinnkit.soap(1e-3),
    steps=10**8,
    points=pinnkit.UniformSampler(interior=32, condition=8),
    checkpoint=FOLDER,
    progress=False,
)
print(run.status, run.steps >= 200, run.steps)
"""


@pytest.mark.slow
def test_jupyters_stop_button_returns_the_run_to_the_cell(tmp_path):
    jupyter_client = pytest.importorskip("jupyter_client")
    manager = jupyter_client.KernelManager(kernel_name="python3")
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=120)
        cell = client.execute(JUPYTER.replace("FOLDER", repr(str(tmp_path / "run"))))
        text = ""
        while True:
            message = client.get_iopub_msg(timeout=300)
            if message["parent_header"].get("msg_id") != cell:
                continue
            content = message["content"]
            assert message["msg_type"] != "error", content
            if message["msg_type"] == "stream" and content["name"] == "stdout":
                text += content["text"]
                if text == "now\n":
                    manager.interrupt_kernel()
            if content.get("execution_state") == "idle":
                break
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert "stopped by the user at step" in text and " True " in text
    assert (tmp_path / "run" / f"step-{text.split()[-1]}").exists()
