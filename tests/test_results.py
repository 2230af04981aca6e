"""Stored figures are recomputed from the stored networks, and README quotes what is stored."""

import contextlib
import json
import re
from pathlib import Path
from statistics import median

import numpy as np
import pytest

import alignment
import cost
import pinnkit
import points
import tables
from pinnkit import results

RESULTS = Path(pinnkit.__file__).parent / "results"
RACE = json.loads((RESULTS / "burgers_race.json").read_text())
STORED = [row for row in RACE["rows"] if "file" in row]


@pytest.mark.parametrize("row", STORED, ids=lambda row: row["file"])
def test_the_stored_network_has_the_stored_error(row):
    run = pinnkit.load(RESULTS / row["file"])
    error = run.relative_error()
    assert run.problem == pinnkit.problems.Burgers() and run.seed == row["seed"]
    assert run.steps == row["steps"] and round(run.seconds, 1) == row["seconds"]
    assert np.isclose(error["u"], row["error"], rtol=1e-3)
    assert error.reference < 1e-3 * error["u"]


@pytest.mark.parametrize("row", results.rows(), ids=lambda row: row.name)
def test_the_stored_network_of_a_row_has_its_errors(row):
    run = row.run()
    with contextlib.nullcontext() if row.resolved else pytest.warns(UserWarning, match="resolved"):
        errors = run.relative_error()
    assert results.case(type(run.problem).__name__, row.physics) == row.case
    assert all(getattr(run.problem, name) == value for name, value in row.physics.items())
    assert (run.seed, run.steps, run.status) == (row.seed, row.steps, row.status)
    assert round(run.seconds, 1) == row.seconds
    assert {name: np.isclose(e, row.errors[name], rtol=1e-3) for name, e in errors.items()} == (
        dict.fromkeys(row.errors, True)
    )
    # the difference of two resolutions, to the rounding errors of the machine
    assert np.isclose(errors.reference, row.reference_error, rtol=1e-6, atol=5e-11)
    assert row.reference_error < row.error
    assert not row.undocumented()


def test_rows_stay_within_the_time_of_their_preset():
    for row in results.rows(preset="laptop"):
        flow = row.problem in ("LidDrivenCavity", "KolmogorovFlow", "RayleighTaylor")
        assert row.seconds <= (3600 if flow else 900), row.name


def test_soap_is_three_times_better_than_adam_at_its_best_rate_on_every_seed():
    for seed in {row["seed"] for row in RACE["rows"]}:
        rows = [row for row in RACE["rows"] if row["seed"] == seed]
        soap = next(row["error"] for row in rows if row["optimizer"] == "soap")
        adam = min(row["error"] for row in rows if row["optimizer"].startswith("adam"))
        assert soap <= 1e-3 and adam >= 3 * soap


def test_readme_quotes_the_stored_errors():
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    for name in ("soap", "adam_0.001", "adam_0.003", "adam_0.01"):
        errors = [row["error"] for row in RACE["rows"] if row["optimizer"] == name]
        quoted = f"{median(errors):.1e} ({min(errors):.1e} to {max(errors):.1e})"
        assert quoted in readme, quoted
    assert re.search(re.escape(RACE["hardware"]), readme)


DOCS = Path(__file__).parents[1] / "docs"


def test_the_document_shows_the_stored_tables():
    document = (DOCS / "second_order_on_a_laptop.md").read_text()
    assert tables.table(tables.ONE_DIMENSIONAL) in document
    assert tables.table(tables.PLANAR) in document
    assert points.table() in document
    assert tables.headline() in (DOCS.parent / "README.md").read_text()


def test_the_document_on_cost_shows_what_is_stored():
    document = (DOCS / "cost_against_size.md").read_text()
    assert cost.table() in document
    stored = json.loads(cost.TABLE.read_text())
    assert stored["command"] in document and stored["hardware"] == "AMD EPYC, 2 cores"
    for optimizer, name in cost.NAMES.items():
        quantities = ("seconds over parameters", "seconds over points", "buffer_bytes over points")
        slopes = (f"{stored['slopes'][f'{optimizer}: {q}']:.2f}" for q in quantities)
        assert f"| {name} | {' | '.join(slopes)} |" in document


@pytest.mark.slow
def test_the_document_on_alignment_shows_the_tables_of_the_stored_runs():
    document = (DOCS / "alignment_through_training.md").read_text()
    for table in (alignment.table("claims"), alignment.correlations(), alignment.table("fault")):
        assert table in document
