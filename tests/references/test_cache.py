"""The cache never returns what is broken or stale, and never loses what was computed."""

import errno
import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from pinnkit.references import Reference
from pinnkit.references import _cache as cache


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PINNKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Computation:
    """Counts how often it is asked."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        axes = {"t": np.linspace(0, 1, 4), "x": np.linspace(-1, 1, 5)}
        values = {"u": np.add.outer(axes["t"], axes["x"] ** 2)}
        return Reference(axes, values, 1e-9, "by hand", "nowhere", seconds=0.5)


@pytest.fixture
def compute():
    return Computation()


def ask(compute, version=1, **parameters):
    return cache.cached("toy", version, parameters, compute)


def stored(folder):
    (path,) = folder.glob("*.npz")
    return path


def test_computed_once_and_equal_to_the_last_bit(compute, folder):
    first, second = ask(compute, nu=0.1), ask(compute, nu=0.1)
    assert compute.calls == 1
    np.testing.assert_array_equal(first.values["u"], second.values["u"])
    np.testing.assert_array_equal(first.axes["x"], second.axes["x"])
    assert (second.error_estimate, second.method, second.source) == (1e-9, "by hand", "nowhere")
    assert list(second.axes) == ["t", "x"]


def test_other_parameters_or_version_are_computed(compute):
    ask(compute, nu=0.1)
    ask(compute, nu=0.2)
    ask(compute, version=2, nu=0.1)
    assert compute.calls == 3


@pytest.mark.parametrize("damage", ["half", "empty", "flipped byte", "text", "other request"])
def test_a_damaged_file_is_computed_again(compute, folder, damage):
    ask(compute)
    path = stored(folder)
    data = path.read_bytes()
    if damage == "half":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "flipped byte":
        middle = data.index(b"payload.npy") + 400
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    elif damage == "text":
        path.write_text("not an archive")
    else:
        with np.load(path) as file:
            header = json.loads(str(file["header"])) | {"request": "something else"}
            np.savez(path, header=np.array(json.dumps(header)), payload=file["payload"])
    with pytest.warns(UserWarning, match="cannot be used .* computed again"):
        reference = ask(compute)
    assert compute.calls == 2
    assert reference.values["u"][0, 0] == 1.0
    ask(compute)
    assert compute.calls == 2


def test_a_checksum_protects_values_that_still_parse(compute, folder):
    ask(compute)
    path = stored(folder)
    with np.load(path) as file:
        header, payload = file["header"], file["payload"].copy()
    payload[-1] ^= 1
    np.savez(path, header=header, payload=payload)
    with pytest.warns(UserWarning, match="checksum"):
        ask(compute)


def test_a_full_disk_costs_only_the_cache(compute, folder, monkeypatch):
    def no_space(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.warns(UserWarning, match="No space left on device.*PINNKIT_CACHE"):
        assert ask(compute).values["u"].shape == (4, 5)
    assert not list(folder.glob("*.npz")) and not list(folder.glob(".toy*"))


def test_an_unwritable_folder_costs_only_the_cache(compute, monkeypatch):
    monkeypatch.setenv("PINNKIT_CACHE", "/proc/pinnkit")
    with pytest.warns(UserWarning, match="could not be kept in /proc/pinnkit"):
        assert ask(compute).values["u"].shape == (4, 5)


def test_two_processes_share_one_computation(folder, tmp_path):
    script = tmp_path / "ask.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys, time
            import numpy as np
            from pinnkit.references import Reference
            from pinnkit.references._cache import cached

            def compute():
                print("computing", flush=True)
                time.sleep(1.5)
                axes = {"x": np.linspace(0, 1, 3)}
                return Reference(axes, {"u": np.arange(3.0)}, 1e-9, "m", "s")

            print(cached("race", 1, {}, compute).values["u"].sum())
            """
        )
    )
    both = [
        subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [p.communicate(timeout=60)[0].split() for p in both]
    assert sorted(outputs, key=len) == [["3.0"], ["computing", "3.0"]]


@pytest.mark.parametrize(
    ("axes", "values", "message"),
    [
        ({"t": [0, 1, 1]}, {"u": [0, 0, 0]}, "entries 1 and 2 are 1.0 and 1.0"),
        ({"t": [[0, 1]]}, {"u": [0, 0]}, "must be 1-D"),
        ({"t": [0, 1]}, {"u": [0, 0, 0]}, r"'u' must have shape \(2,\)"),
        ({"t": [0, 1]}, {"u": [0, np.nan]}, r"1 values that are not finite, the first at.*\(1,\)"),
        ({"t": [0, np.nan]}, {"u": [0, 0]}, "axis 't' must increase"),
    ],
)
def test_references_are_validated(axes, values, message):
    with pytest.raises(ValueError, match=message):
        Reference(axes, values, 0.0, "m", "s")


def test_error_of_a_prediction():
    reference = Reference({"x": [0.0, 1.0]}, {"u": [3.0, 4.0]}, 0.0, "m", "s")
    assert reference.relative_error({"u": np.array([3.0, 4.5])}) == {"u": 0.1}
    with pytest.raises(ValueError, match="lacks the field 'u'"):
        reference.relative_error({"v": np.zeros(2)})
    with pytest.raises(ValueError, match=r"shape \(2,\), got \(3,\)"):
        reference.relative_error({"u": np.zeros(3)})
    with pytest.raises(ValueError, match="error_estimate must be finite"):
        Reference({"x": [0.0, 1.0]}, {"u": [0.0, 0.0]}, np.nan, "m", "s")
