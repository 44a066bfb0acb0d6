"""Run the cases of one workload in alternation, on the same data and the same server."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.catalog import Case, Knobs
from benchmarks.checking import WrongScores, check, count_rows, expected
from benchmarks.measuring import CaseFailed, Run
from benchmarks.running import Runner
from benchmarks.tuning import Tried
from benchmarks.workloads.workload import Answers, Workload

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What all repeats of a workload's cases gave."""

    workload: Workload
    """What was scored."""
    rows: int
    """Rows of its dataset."""
    runs: Mapping[Case, Sequence[Run]]
    """Each case's repeats."""
    knobs: Mapping[Case, Knobs]
    """The settings that each ran with."""


class Experiment:
    """One workload's dataset and server, on which cases are run."""

    def __init__(self, runner: Runner, dataset: Path, rows: int, *, say: Say) -> None:
        self._runner = runner
        self._workload = runner.workload
        self._dataset = dataset
        self._rows = rows
        self._say = say
        self._checked: set[tuple[str, str]] = set()

    @cached_property
    def _expected(self) -> Answers:
        return expected(self._workload, self._dataset)

    def compare(self, cases: Sequence[Case], knobs: Mapping[Case, Knobs], repeats: int) -> Outcome:
        """Run every case once a repeat, each repeat beginning with the next case.

        A round before them is not counted: in it files are read into the page cache, scores
        compared, ceilings find their settings, peers the faster transport. Raises `CaseFailed`
        or `WrongScores`.
        """
        runs: dict[Case, list[Run]] = {case: [] for case in cases}
        used = {case: self._prepare(case, knobs[case]) for case in cases}
        for repeat in range(1, repeats + 1):
            for case in rotated(cases, repeat - 1):
                run = self.run(case, used[case])
                runs[case].append(run)
                self._say(f"  repeat {repeat}/{repeats}  {self._describe(case, run)}")
        return Outcome(self._workload, self._rows, runs, used)

    def _prepare(self, case: Case, knobs: Knobs) -> Knobs:
        """Run the case before it counts; return the settings that it is measured with."""
        fastest: tuple[float, Knobs] | None = None
        for way in ways(case, knobs):
            run = self.run(case, way)
            self._say(f"  not counted  {self._describe(case, run)}  {describe_knobs(way)}")
            if fastest is None or run.seconds < fastest[0]:
                fastest = run.seconds, run.notes.get("knobs", way)
        return fastest[1] if fastest else knobs

    def tune(self, case: Case) -> list[Tried]:
        """Run the case once with each of its settings; one that fails is as slow as can be."""
        tried = []
        for knobs in case.grid:
            try:
                run = self.run(case, knobs)
            except CaseFailed as failed:
                self._say(f"  {case.title:22} {describe_knobs(knobs)}: {failed}")
                continue
            tried.append(Tried(knobs, round(self._rows / run.seconds)))
            self._say(f"  {self._describe(case, run)}  {describe_knobs(knobs)}")
        return tried

    def run(self, case: Case, knobs: Knobs) -> Run:
        """Run the case once; the first scores that it writes are compared one by one."""
        with tempfile.TemporaryDirectory(dir=self._dataset.parent) as folder:
            output = Path(folder) / "out"
            run = self._runner.run(case, str(self._dataset), str(output), knobs=knobs)
            if case.scores:
                self._check(case, knobs, output)
        return run

    def _check(self, case: Case, knobs: Knobs, output: Path) -> None:
        rows = count_rows(output)
        if rows != self._rows:
            raise WrongScores(f"{case.title} wrote {rows:,} rows, not {self._rows:,}")
        key = (case.name, describe_knobs(knobs))
        if key in self._checked:
            return
        self._checked.add(key)
        try:
            check(self._workload, output, self._expected)
        except WrongScores as wrong:
            raise WrongScores(f"{case.title}: {wrong}") from wrong

    def _describe(self, case: Case, run: Run) -> str:
        rate = (run.rows or self._rows) / run.seconds
        return f"{case.title:22} {rate:12,.0f} rows/s"


def rotated(cases: Sequence[Case], turn: int) -> list[Case]:
    """Return the cases in the order of that turn, which begins so many cases later."""
    first = turn % len(cases) if cases else 0
    return [*cases[first:], *cases[:first]]


def ways(case: Case, knobs: Knobs) -> list[Knobs]:
    """Return the settings to try first: a peer whose transport was not tuned is tried by both."""
    if case.kind != "peer" or "grpc" in knobs:
        return [knobs]
    return [{**knobs, "grpc": grpc} for grpc in (0, 1)]


def describe_knobs(knobs: Knobs) -> str:
    """Say how a case was set up: `batch_rows 16,384, actors 2`."""
    return ", ".join(f"{name} {value:,}" for name, value in knobs.items()) or "as it comes"
