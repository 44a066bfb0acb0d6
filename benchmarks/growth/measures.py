"""Measure what grows with a job."""

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.catalog import OURS, Case, cases
from benchmarks.growth import data
from benchmarks.growth.s3 import s3_server
from benchmarks.measuring import CaseFailed, Run
from benchmarks.running import Runner

Say = Callable[[str], None]

_PLANNING = Case(
    "planning", "planning", "benchmarks.cases.planning", kind="ours", in_peers_environment=False
)


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured; a test takes less."""

    times: tuple[int, ...] = (1, 4, 10, 16)
    """Sizes of *wide*: 10 is the 20 million rows that the memory is judged at."""
    files: int = 10_000
    """Files of one row group that are planned."""
    parts: int = 1_000
    """Parts of a finished job that are verified."""
    group_bytes: int = 2_000_000_000
    """Size of the one row group of a file."""


SMALL = Scale(times=(1, 4), files=100, parts=20, group_bytes=50_000_000)
"""Enough to see that it works."""


@dataclass(frozen=True, slots=True)
class Size:
    """*wide*, so many times over."""

    rows: int
    """Rows scored."""
    seconds: float
    """Median of the repeats, from the call to its return, after a job of one file."""
    peak_bytes: int
    """Largest peak of the scoring process over the repeats."""

    @property
    def us_per_row(self) -> float:
        """Microseconds a row."""
        return self.seconds / self.rows * 1e6


@dataclass(frozen=True, slots=True)
class Planning:
    """Planning many files of one row group."""

    files: int
    """How many."""
    local_s: float
    """Seconds in a folder."""
    s3_s: float
    """Seconds on the S3 server."""


@dataclass(frozen=True, slots=True)
class Verifying:
    """A job of which nothing is left."""

    parts: int
    """Parts of its output."""
    scored_s: float
    """Seconds of the job that scored them."""
    seconds: float
    """Seconds of the same job again, from the call to its return."""


@dataclass(frozen=True, slots=True)
class OneGroup:
    """A file with a single large row group."""

    rows: int
    """Its rows."""
    file_bytes: int
    """Its size."""
    seconds: float | None
    """Seconds that scoring took; None when it was refused."""
    peak_bytes: int | None
    """Peak memory of the scoring process; None when it was refused."""
    refusal: str | None
    """Why it was refused."""


@dataclass(frozen=True, slots=True)
class Grown:
    """All of it."""

    sizes: tuple[Size, ...]
    """*wide* several times over, the smallest first."""
    planning: Planning
    """Many files."""
    verifying: Verifying
    """Many parts."""
    one_group: OneGroup
    """One large row group."""


class Growth:
    """Measures on one dataset of *wide*, with our own case."""

    def __init__(self, runner: Runner, dataset: Path, rows: int, *, say: Say) -> None:
        self._runner = runner
        self._dataset = dataset
        self._rows = rows
        self._ours = cases()[OURS]
        self._say = say

    def measure(self, scale: Scale, *, repeats: int) -> Grown:
        """Measure one after the other."""
        return Grown(
            self.sizes(scale.times, repeats=repeats),
            self.planning(scale.files),
            self.verifying(scale.parts),
            self.one_group(scale.group_bytes),
        )

    def sizes(self, times: tuple[int, ...], *, repeats: int) -> tuple[Size, ...]:
        """Score *wide* once, and several times over, in alternation."""
        runs: dict[int, list[Run]] = {time: [] for time in times}
        for repeat in range(1, repeats + 1):
            for time in times:
                with self._folder() as folder:
                    root = data.repeated(self._dataset, folder / "in", times=time)
                    run = self._score(root, folder)
                runs[time].append(run)
                self._say(
                    f"  repeat {repeat}/{repeats}  {time * self._rows:12,} rows "
                    f"{run.seconds:7.2f} s  {run.peak_bytes / 1e6:5,.0f} MB"
                )
        return tuple(
            Size(
                time * self._rows,
                statistics.median(run.seconds for run in taken),
                max(run.peak_bytes for run in taken),
            )
            for time, taken in runs.items()
        )

    def planning(self, files: int) -> Planning:
        """Plan many tiny files, in a folder and on S3."""
        with self._folder() as folder:
            root = data.tiny_files(folder, count=files)
            local = self._plan(str(root), str(folder / "out"), {})
            self._say(f"  planned {files:,} local files in {local.seconds:.1f} s")
            content = next(root.glob("*.parquet")).read_bytes()
            with s3_server(self._runner.peers_python, folder / "s3.log") as server:
                uri = server.put_many("tiny", content, count=files)
                self._say(f"  put {files:,} objects to S3")
                out = uri.replace("tiny", "out")
                s3 = self._plan(uri, out, server.environment)
            self._say(f"  planned {files:,} objects in {s3.seconds:.1f} s")
        return Planning(files, local.seconds, s3.seconds)

    def verifying(self, parts: int) -> Verifying:
        """Score many tiny files, then run the finished job again."""
        with self._folder() as folder:
            root = data.tiny_files(folder, count=parts)
            first = self._score(root, folder)
            self._say(f"  scored {parts:,} shards in {first.seconds:.1f} s")
            again = self._score(root, folder)
            self._say(f"  verified {parts:,} parts in {again.seconds:.1f} s")
        return Verifying(parts, first.seconds, again.seconds)

    def one_group(self, total_bytes: int) -> OneGroup:
        """Score a file with a single row group, or learn why it is refused."""
        with self._folder() as folder:
            self._say(f"  writing a row group of {total_bytes / 1e9:.1f} GB")
            root = data.one_group(folder, total_bytes=total_bytes)
            size = sum(path.stat().st_size for path in root.glob("*.parquet"))
            rows = total_bytes // (self._runner.workload.width * 4)
            try:
                run = self._score(root, folder)
            except CaseFailed as failed:
                self._say(f"  refused: {failed}")
                return OneGroup(rows, size, None, None, str(failed))
            self._say(f"  scored it in {run.seconds:.1f} s, {run.peak_bytes / 1e6:,.0f} MB")
            return OneGroup(rows, size, run.seconds, run.peak_bytes, None)

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        """Give a folder on the dataset's disk, where links to its files are possible."""
        with tempfile.TemporaryDirectory(dir=self._dataset.parent) as folder:
            yield Path(folder)

    def _score(self, root: Path, folder: Path) -> Run:
        return self._runner.run(self._ours, str(root), str(folder / "out"), knobs={})

    def _plan(self, source: str, output: str, settings: Mapping[str, str]) -> Run:
        runner = replace(self._runner, settings=settings)
        return runner.run(_PLANNING, source, output, knobs={})
