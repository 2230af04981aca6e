"""Reference solutions from a terminal.

    python tools/references.py table               every reference: error estimate, seconds, size
    python tools/references.py ship [NAME ...]     compute the slow ones anew, into the package

NAME is a problem's class. A shipped file holds the values rounded to a tenth of the error estimate.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

import numpy as np

from pinnkit import problems
from pinnkit.references import Reference, _cache

SHIPPED = {
    "LidDrivenCavity": [{"reynolds": float(re)} for re in (100, 400, 1000, 2000, 3200, 5000)],
    "KolmogorovFlow": [{}],
    "RayleighTaylor": [{}],
}
"""Problems whose references come with the package, and the physics they are computed for."""

ROUNDING = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("table", help="list every reference with its error estimate")
    shipping = commands.add_parser("ship", help="compute slow references into the package")
    shipping.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SHIPPED))
    arguments = parser.parse_args()
    if arguments.command == "table":
        table()
        return
    if unknown := set(arguments.names) - set(SHIPPED):
        parser.error(f"not shipped: {', '.join(unknown)}; expected some of {', '.join(SHIPPED)}")
    for name in arguments.names or SHIPPED:
        ship(name)


def table() -> None:
    """One line for each problem and physics of the course."""
    print("| problem | method | values | error estimate | seconds |\n|---|---|---|---|---|")
    for name in problems.BENCHMARKS:
        for physics in SHIPPED.get(name, [{}]):
            reference = getattr(problems, name)(**physics).reference()
            shape = " x ".join(str(len(a)) for a in reference.axes.values())
            title = name + "".join(f", {k} {v:g}" for k, v in physics.items())
            print(
                f"| {title} | {reference.method} | {' '.join(reference.values)} on {shape} "
                f"| {reference.error_estimate:.1e} | {reference.seconds:.1f} |"
            )


def ship(name: str) -> None:
    """Replace the package's files of one problem."""
    written = [_ship_one(name, physics) for physics in SHIPPED[name]]
    stem = written[0].name.rpartition("-")[0]
    for old in set(_cache.SHIPPED.glob(f"{stem}-*.npz")) - set(written):
        old.unlink()


def _ship_one(name: str, physics: dict[str, float]) -> Path:
    request, reference = _compute(name, physics)
    target = _cache.path_in(_cache.SHIPPED, request)
    _cache.write(target, request, reference, ROUNDING * reference.error_estimate)
    print(
        f"{name} {physics or ''}: error {reference.error_estimate:.1e}, "
        f"{reference.seconds:.0f} s, {target.stat().st_size / 1e3:.0f} kB in {target.name}"
    )
    return target


def _compute(name: str, physics: dict[str, float]) -> tuple[str, Reference]:
    """A fresh reference and the request that the cache knows it by."""
    package = _cache.SHIPPED
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PINNKIT_CACHE"] = folder
        _cache.SHIPPED = Path(folder)
        try:
            reference = getattr(problems, name)(**physics).reference()
        finally:
            _cache.SHIPPED = package
        (computed,) = Path(folder).glob("*.npz")
        with np.load(computed) as file:
            return json.loads(str(file["header"]))["request"], reference


if __name__ == "__main__":
    main()
