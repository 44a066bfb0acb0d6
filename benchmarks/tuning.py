"""Remember with which settings each peer was fastest."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.catalog import Case, Knobs
from benchmarks.results import replace_file

FILE = Path(__file__).with_name("tuning.json")


@dataclass(frozen=True, slots=True)
class Tried:
    """One way to set a case up, run once."""

    knobs: Knobs
    """The settings."""
    rows_per_s: float
    """How fast it was."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was tried."""

    cores: int
    """Processors of the machine that it was tried on."""
    tried: Mapping[str, Mapping[str, Sequence[Tried]]]
    """By workload and case."""

    def best(self, workload: str, case: Case) -> Knobs:
        """Return the fastest settings, or the first of the case's grid where none was tried."""
        tried = self.tried.get(workload, {}).get(case.name, ())
        fastest = max(tried, key=lambda one: one.rows_per_s, default=None)
        return fastest.knobs if fastest else case.grid[0]

    def with_tried(self, workload: str, case: str, tried: Sequence[Tried]) -> "Tuning":
        """Return a copy in which this case was tried so."""
        cases = {**self.tried.get(workload, {}), case: tuple(tried)}
        return Tuning(self.cores, {**self.tried, workload: cases})


def read(file: Path = FILE, *, cores: int) -> Tuning:
    """Read what was tried; nothing was where there is no file."""
    try:
        found = json.loads(file.read_text())
    except FileNotFoundError:
        return Tuning(cores, {})
    return Tuning(
        found["cores"],
        {
            workload: {
                case: tuple(Tried(one["knobs"], one["rows_per_s"]) for one in tried)
                for case, tried in cases.items()
            }
            for workload, cases in found["tried"].items()
        },
    )


def write(tuning: Tuning, file: Path = FILE) -> None:
    """Keep what was tried."""
    replace_file(file, json.dumps(asdict(tuning), indent=1) + "\n")
