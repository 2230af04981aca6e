"""README's examples run, its links exist, and the figures it quotes are those that were stored."""

import re
from pathlib import Path

import jax.numpy as jnp
import pytest

import pinnkit

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, flags=re.S)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_run(example):
    gradient = {"w": jnp.ones((3, 2)), "b": jnp.ones(2)}
    given = {
        "pinnkit": pinnkit,
        "params": gradient,
        "gradients": gradient,
        "gradient_of_term_1": gradient,
        "gradient_of_term_2": gradient,
    }
    exec(example.replace("steps=2000", "steps=20"), given)
    if "run" in given:
        assert given["run"].steps == 20


def test_links_lead_somewhere():
    targets = re.findall(r"\]\(([^)]+)\)", README)
    local = [t for t in targets if not t.startswith("https://")]
    assert len(local) > 5
    assert all((ROOT / t).exists() for t in local)
    assert {t.split("/")[2] for t in targets if t not in local} <= {"arxiv.org"}


def test_the_first_notebooks_are_in_the_table():
    for notebook in (ROOT / "notebooks").glob("[0-9]*.ipynb"):
        assert f"(notebooks/{notebook.name})" in README


TABLE = re.findall(r"^\| `(\w+)`.*?\| ([\d.]+e-\d+)", README, flags=re.M)


def test_all_benchmarks_are_in_the_table_of_references():
    assert [name for name, _ in TABLE] == list(pinnkit.problems.BENCHMARKS)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "stated"), TABLE)
def test_error_estimates_are_as_stated(name, stated):
    estimate = getattr(pinnkit.problems, name)().reference().error_estimate
    assert 0.6 < estimate / float(stated) < 1.5
