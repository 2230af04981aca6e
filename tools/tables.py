"""Markdown tables of the stored results: `python tools/tables.py [WHAT]`.

all         the ten problems with their own optimizer, SOAP and Adam
headline    README's table: the best optimizer of each problem
ablations   what one change of a recipe does
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from statistics import median

from ablations import QUESTIONS, variant_name
from pinnkit import results
from pinnkit.results import PUBLISHED, Row, spread
from results import CASES, FIRST_ORDER

ONE_DIMENSIONAL = ("Wave", "Burgers", "AllenCahn", "KortewegDeVries", "KuramotoSivashinsky")
PLANAR = tuple(case for case in CASES if case not in ONE_DIMENSIONAL)


def grouped(cases: Iterable[str] = CASES) -> dict[tuple[str, str], list[Row]]:
    """Rows of the recipes by case and optimizer: each problem's own one first."""
    stored = results.rows(preset="laptop", variant="")
    groups = {}
    for case in cases:
        here = [row for row in stored if row.case == case]
        names = {row.optimizer for row in here}
        for optimizer in (*sorted(names - set(FIRST_ORDER)), *FIRST_ORDER):
            if optimizer in names:
                groups[case, optimizer] = [row for row in here if row.optimizer == optimizer]
    return groups


def table(cases: Iterable[str] = CASES) -> str:
    """Errors as median and range over the seeds."""
    lines = [
        "| Problem | Optimizer | Parameters | Precision | Seconds | Cores | Seeds | Error | "
        "Reference | Published |",
        "|---" * 10 + "|",
    ]
    for (case, optimizer), group in grouped(cases).items():
        published = PUBLISHED.get(case)
        cells = (
            f"`{case}`",
            optimizer,
            f"{group[0].n_parameters:,}",
            group[0].precision,
            f"{median(row.seconds for row in group):.0f}",
            "/".join(sorted({str(row.cores) for row in group})),
            str(len(group)),
            spread([row.error for row in group]) + unresolved(group),
            f"{group[0].reference_error:.0e}",
            f"{published.error:.2e}" if published else "",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def headline(cases: Iterable[str] = CASES) -> str:
    """The best optimizer of each problem."""
    lines = ["| Problem | Error | Published | Seconds | Seeds |", "|---" * 5 + "|"]
    best = {}
    for (case, _), group in grouped(cases).items():
        if case not in best or _error(group) < _error(best[case]):
            best[case] = group
    for case, group in best.items():
        published = PUBLISHED.get(case)
        cells = (
            case,
            spread([row.error for row in group]),
            f"{published.error:.2e}" if published else "",
            f"{median(row.seconds for row in group):.0f}",
            str(len(group)),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def unresolved(group: list[Row]) -> str:
    """A mark where the reference is not good enough for the error."""
    return "" if all(row.resolved for row in group) else " (not resolved)"


def _error(group: list[Row]) -> float:
    return median(row.error for row in group)


def ablations() -> str:
    """Errors on each problem, as median and range over the seeds."""
    stored = [row for row in results.rows() if row.variant]
    cases = list(dict.fromkeys(row.case for row in stored))
    lines = [f"| Question | Choice | {' | '.join(cases)} |", "|---" * (2 + len(cases)) + "|"]
    for question, choices in QUESTIONS.items():
        for choice in choices:
            name, cells = variant_name(question, choice), [question, choice]
            for case in cases:
                errors = [r.error for r in stored if (r.case, r.variant) == (case, name)]
                cells.append(spread(errors) if errors else "")
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    tables = {"all": table, "headline": headline, "ablations": ablations}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=tables, default="all")
    print(tables[parser.parse_args().what]())


if __name__ == "__main__":
    main()
