"""Every number that a notebook states is listed, and the cell behind it still prints it."""

import re

import nbformat
import pytest

import notebooks

LIST = notebooks.NOTEBOOKS / "where_the_numbers_come_from.md"
ROW = re.compile(r"^\| (.+?) (?<!\\)\| (.+) \|$")
CELL = re.compile(r"In \[(\d+)\]((?:[,:]? ?`[^`]*`)*)")
LINK = re.compile(r"\]\(([^)]+)\)")


def listed() -> dict[str, list[tuple[str, str]]]:
    """By number of the notebook: sentences and what stands behind them."""
    rows, now = {}, None
    for line in LIST.read_text().splitlines():
        if heading := re.match(r"## (\d\d) ", line):
            rows[now := heading[1]] = []
        elif (found := ROW.match(line)) and found[1] != "Sentence":
            rows[now].append((found[1].replace(r"\|", "|"), found[2].replace(r"\|", "|")))
    return rows


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"</?[a-zA-Z][^>]*>", " ", text)).strip()


def printed(cell) -> str:
    """What a cell printed, without its figures."""
    parts = []
    for output in cell.outputs:
        data = output.get("data", {})
        parts += [output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")]
    return flat(" ".join(parts))


def has_figure(cell) -> bool:
    kinds = [kind for output in cell.outputs for kind in output.get("data", {})]
    return any(kind.startswith("image/") for kind in kinds)


CLAIMS = listed()


def test_every_notebook_is_listed():
    assert list(CLAIMS) == [p.name[:2] for p in sorted(notebooks.NOTEBOOKS.glob("*.ipynb"))]


@pytest.mark.parametrize("number", CLAIMS)
def test_what_is_behind_a_sentence_still_is(number):
    (path,) = notebooks.NOTEBOOKS.glob(f"{number}_*.ipynb")
    notebook = nbformat.read(path, 4)
    prose = flat(" ".join(c.source for c in notebook.cells if c.cell_type == "markdown"))
    cells = {str(c.execution_count): c for c in notebook.cells if c.cell_type == "code"}
    shown = {count: printed(cell) for count, cell in cells.items()}
    assert len(CLAIMS[number]) >= 5
    for sentence, behind in CLAIMS[number]:
        assert flat(sentence) in prose, f"not in {path.name}: {sentence}"
        named = CELL.findall(behind)
        assert named or behind.startswith("derived: ") or LINK.search(behind), behind
        for count, quotes in named:
            quoted = re.findall("`([^`]*)`", quotes)
            assert quoted or has_figure(cells[count]), behind
            for quote in quoted:
                assert flat(quote) in shown[count], f"{path.name} [{count}]: {quote}"
        for link in LINK.findall(behind):
            assert link.startswith("https://") or (LIST.parent / link.split("#")[0]).exists(), link
