"""Each committed notebook is what a clean run from top to bottom leaves, and nothing more."""

import pytest

import notebooks

COMMITTED = sorted(notebooks.NOTEBOOKS.glob("*.ipynb"))


def test_there_is_a_course():
    assert len(COMMITTED) >= 2


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_is_clean(path):
    assert notebooks.find_faults(path) == []
