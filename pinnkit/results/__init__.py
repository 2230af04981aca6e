"""Results that last: what was trained, by which recipe, on what, and how far it came.

A row is one training run: `NAME.json` says where it comes from, `NAME.npz` holds the trained
network with its history, from which the error can be computed again at any time.

    for row in pinnkit.results.rows(problem="Burgers"):
        print(row.name, row.error, row.seconds)
    run = row.run()
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from pinnkit.run import Run, load
from pinnkit.storage import replacing

FOLDER = Path(__file__).parent / "rows"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One stored training run.

    Args:
        name: of its files, without an ending.
        problem: name of the class in `pinnkit.problems`.
        physics: parameters of the problem that are not its defaults.
        preset, optimizer: of the recipe.
        variant: what an ablation changes in the recipe; "" for the recipe as it is.
        seed: of the initial weights and of the points.
        errors: relative L2 error of each observable over the whole reference grid.
        reference_error: the reference's own, by its estimate.
        n_parameters: trained numbers, those of all time windows together.
        precision: dtype of the parameters.
        steps: of the optimizer, in all windows together.
        seconds: wall time of training with its monitors, without compilation.
        compile_seconds: before the first step of each window.
        status: as in `pinnkit.Run`.
        cores: that the run could use.
        hardware, versions, commit, date: where, with what and when it ran.
    """

    name: str
    problem: str
    physics: Mapping[str, float] = field(default_factory=dict)
    preset: str
    optimizer: str
    variant: str = ""
    seed: int
    errors: Mapping[str, float]
    reference_error: float
    n_parameters: int
    precision: str
    steps: int
    seconds: float
    compile_seconds: float
    status: str
    cores: int
    hardware: str
    versions: Mapping[str, str]
    commit: str
    date: str

    @property
    def error(self) -> float:
        """The figure by which the problem is judged: of the speed, or of the worst field."""
        return self.errors.get("speed", max(self.errors.values()))

    @property
    def resolved(self) -> bool:
        """Whether the error is at least three times the reference's own; if not, it is a bound."""
        return self.error >= 3 * self.reference_error

    @property
    def case(self) -> str:
        """The problem with the parameters that are not its defaults, as in Python."""
        return case(self.problem, self.physics)

    def run(self, folder: Path = FOLDER) -> Run:
        """The trained network with its history.

        Raises:
            FileNotFoundError, ValueError: as `pinnkit.load` does.
        """
        return load(folder / f"{self.name}.npz")

    def undocumented(self) -> list[str]:
        """What is not known of where it comes from, such as a commit with changes on top."""
        missing = [name for name in ("hardware", "versions", "date") if not getattr(self, name)]
        if not self.commit or self.commit.endswith("-dirty"):
            missing.append("commit")
        return missing

    def write(self, folder: Path = FOLDER) -> Path:
        """Write NAME.json, whole or not at all."""
        path = folder / f"{self.name}.json"
        text = json.dumps(dataclasses.asdict(self), indent=1)
        with replacing(path) as file:
            file.write(f"{text}\n".encode())
        return path


def case(problem: str, physics: Mapping[str, float] = {}) -> str:
    """A problem and its parameters as in Python: "LidDrivenCavity(reynolds=400)"."""
    parameters = ", ".join(f"{name}={value:g}" for name, value in physics.items())
    return f"{problem}({parameters})" if parameters else problem


def read(name: str, folder: Path = FOLDER) -> Row:
    """One row by its name.

    Raises:
        FileNotFoundError: there is none of that name.
        ValueError: the file is no row.
    """
    path = folder / f"{name}.json"
    try:
        return Row(**json.loads(path.read_text()))
    except (TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no row of results: {error}") from error


def rows(folder: Path = FOLDER, **where: Any) -> list[Row]:
    """Stored rows, sorted by name.

    Args:
        folder: where they lie; by default those that come with the package.
        where: values that fields of `Row` must have, such as optimizer="soap".

    Raises:
        TypeError: a row has no such field.
    """
    if unknown := set(where) - {f.name for f in dataclasses.fields(Row)} - {"case"}:
        raise TypeError(f"rows have no {sorted(unknown)}: see pinnkit.results.Row")
    found = (read(path.stem, folder) for path in sorted(Path(folder).glob("*.json")))
    return [row for row in found if all(getattr(row, k) == v for k, v in where.items())]


def spread(values: list[float], form: str = ".1e") -> str:
    """Median and range as text, or the only value."""
    if len(values) == 1:
        return f"{values[0]:{form}}"
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


@dataclass(frozen=True)
class Published:
    """A relative L2 error that somebody else reports.

    Args:
        error: the best one that the source has.
        source: where it stands.
        checked: whether it was read there; otherwise it is quoted from memory of the source.
    """

    error: float
    source: str
    checked: bool


_SOAP, _PIRATE = "arXiv 2502.00604", "arXiv 2402.00326"
PUBLISHED = {
    "Wave": Published(8.05e-6, _SOAP, False),
    "Burgers": Published(4.03e-5, _SOAP, True),
    "AllenCahn": Published(3.48e-6, _SOAP, True),
    "KortewegDeVries": Published(3.40e-4, _SOAP, False),
    "KuramotoSivashinsky": Published(3.86e-2, _SOAP, False),
    "GrayScott": Published(3.61e-3, _PIRATE, True),
    "GinzburgLandau": Published(1.49e-2, _PIRATE, True),
    "LidDrivenCavity(reynolds=3200)": Published(4.21e-2, _PIRATE, True),
    "LidDrivenCavity(reynolds=5000)": Published(3.99e-2, _SOAP, False),
    "KolmogorovFlow": Published(3.20e-2, _SOAP, False),
}
"""By case, for runs on GPUs, as far as known: SOAP's, or where those are not known PirateNets'."""
