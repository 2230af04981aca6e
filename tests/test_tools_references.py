"""References that come with the package: written whole, rounded, found, and replaced."""

import sys

import numpy as np
import pytest

import references as tool
from pinnkit import problems
from pinnkit.references import _cache, burgers

PHYSICS = {"viscosity": 0.1}


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    """A package folder of its own, and Burgers' equation in the place of the slow problems."""
    monkeypatch.setenv("PINNKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(_cache, "SHIPPED", tmp_path / "data")
    monkeypatch.setattr(tool, "SHIPPED", {"Burgers": [PHYSICS]})
    return tmp_path / "data"


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["references.py", *arguments])
    tool.main()


def compute_nothing(*_, **__):
    raise AssertionError("computed")


def test_a_shipped_reference_is_read_and_true(package, monkeypatch, capsys):
    monkeypatch.setattr(_cache, "FORMAT", 99)
    exact = problems.Burgers(**PHYSICS).reference()
    (package / "burgers-0123456789abcdef.npz").parent.mkdir()
    (package / "burgers-0123456789abcdef.npz").write_bytes(b"an older one")
    run(monkeypatch, "ship")
    (file,) = package.iterdir()
    assert f"kB in {file.name}" in capsys.readouterr().out
    for old in (package.parent / "cache").iterdir():
        old.unlink()
    monkeypatch.setattr(sys.modules[burgers.__module__], "_compute", compute_nothing)
    shipped = problems.Burgers(**PHYSICS).reference()
    assert shipped.relative_error(exact.values)["u"] < exact.error_estimate
    assert (shipped.error_estimate, shipped.method) == (exact.error_estimate, exact.method)
    np.testing.assert_array_equal(shipped.axes["x"], exact.axes["x"])


def test_a_shipped_file_cut_in_half_is_computed_again(package, monkeypatch):
    run(monkeypatch, "ship", "Burgers")
    (file,) = package.iterdir()
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.warns(UserWarning, match=f"stored reference {file.name} cannot be used"):
        assert problems.Burgers(**PHYSICS).reference().error_estimate < 1e-9


@pytest.mark.parametrize("rounding", [1e-2, 1e-3, 1e-9])
def test_rounding_stays_below_what_is_asked(package, rounding):
    exact = problems.Burgers(**PHYSICS).reference()
    path = _cache.path_in(package, '{"name": "toy"}')
    _cache.write(path, '{"name": "toy"}', exact, rounding)
    error = _cache.read(path, '{"name": "toy"}').relative_error(exact.values)["u"]
    assert 0.1 * rounding < error < 0.5 * rounding


def test_the_table_names_every_benchmark(monkeypatch, capsys):
    monkeypatch.setattr(problems, "BENCHMARKS", ("Wave", "Burgers"))
    run(monkeypatch, "table")
    text = capsys.readouterr().out
    assert "| Wave | closed form" in text and "| Burgers, viscosity 0.1 | Cole-Hopf" in text


def test_an_unknown_name_is_refused(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, "ship", "Wave")
    assert "not shipped: Wave; expected some of Burgers" in capsys.readouterr().err
