"""Write README's badges from the repository's address: `python tools/badges.py`.

The address lives in pyproject.toml, [tool.pinnkit] repository, as "OWNER/NAME" on GitHub. While it
is empty there are no badges.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- badges: begin -->\n", "<!-- badges: end -->"


def badges(repository: str) -> str:
    """The badges of a repository, one a line; none for an empty address."""
    if not repository:
        return ""
    if repository.count("/") != 1 or not all(repository.split("/")):
        raise ValueError(f"repository must be empty or 'OWNER/NAME', got {repository!r}")
    binder, here = "https://mybinder.org", f"https://github.com/{repository}"
    start = f"{binder}/v2/gh/{repository}/HEAD?labpath=notebooks%2F00_start_here.ipynb"
    return (
        f"[![Open in Binder]({binder}/badge_logo.svg)]({start})\n"
        f"[![Source](https://img.shields.io/badge/source-{repository.split('/')[1]}-blue)]({here})\n"
    )


def with_badges(readme: str, repository: str) -> str:
    """README's text with the badges of this repository between their marks."""
    before, mark, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (mark and end):
        raise ValueError(f"README needs the lines {BEGIN.strip()!r} and {END!r}")
    return before + BEGIN + badges(repository) + END + after


def address() -> str:
    """The repository's address from pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pinnkit"]["repository"]


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(with_badges(path.read_text(), address()))
