"""Say what a finished job's report tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from flows.bottleneck import Bound, StageTime
from flows.profile import Profile


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """One quarantined row, to show what its reason looks like."""

    file: str
    """Input file, below the dataset's root."""
    row: int
    """Position in the file, from 0."""
    detail: str
    """The value at fault, or the server's own words."""
    values: Mapping[str, str]
    """The row's columns as text, those that matter first; a null is `null`."""


@dataclass(frozen=True, slots=True)
class QuarantineReason:
    """One reason for which rows were quarantined."""

    reason: str
    """As the rows tell it: `null in dep_delay`."""
    stage: str
    """`encode`, `model` or `answer`."""
    rows: int
    """Rows quarantined for it."""
    examples: tuple[ExampleRow, ...] = ()
    """A few of them, at most five."""


@dataclass(frozen=True, slots=True)
class FileLineage:
    """One input file that was scored."""

    key: str
    """Path below the dataset's root."""
    etag: str
    """Identity of the content that was read."""
    size: int
    """Bytes."""
    rows: int
    """Rows it holds."""


@dataclass(frozen=True, slots=True)
class JobReport:
    """Everything that `_report.html` shows of one job; nothing in it is estimated."""

    job: str
    """The model as the job named it: `flights@champion`."""
    model: str
    """The version that this resolved to: `flights@3`."""
    model_digest: str
    """Digest of that version."""
    input_uri: str
    """The dataset's address."""
    output_uri: str
    """Where the parts are."""
    started_at: datetime
    """When the job first claimed the output, in UTC."""
    published_at: datetime
    """When the manifest was made, in UTC."""
    rows_in: int
    """Rows of the dataset: `rows_ok` plus `rows_quarantined`."""
    rows_ok: int
    """Rows scored."""
    rows_quarantined: int
    """Rows that could not be."""
    rows_this_run: int
    """Rows that this run read; the others were committed by earlier runs."""
    shards_scored: int
    """Shards that this run committed."""
    shards_adopted: int
    """Shards that earlier runs, or other workers, had committed."""
    part_bytes: int
    """Size of all parts."""
    wall_s: float
    """Seconds from this run's start to its manifest."""
    scoring_s: float
    """Seconds of them between the first shard's start and the last one's commit."""
    stages: tuple[StageTime, ...]
    """In the order in which a row passes them; empty when nothing had to be scored."""
    bound: Bound | None
    """What bounded this run; None when nothing had to be scored, or less than a second's work."""
    columns: Mapping[str, tuple[str, ...]]
    """Dataset columns that fed each model input."""
    outputs: Mapping[str, Profile]
    """Profile of each output column, over all parts."""
    reasons: tuple[QuarantineReason, ...]
    """Why rows were quarantined, most frequent first; the rest may be left out."""
    files: tuple[FileLineage, ...]
    """The input files."""
    fingerprint: str
    """Digest of everything that determines the output, in hex."""
    versions: Mapping[str, str]
    """Versions of the programs that scored: Nightshift, Prefect, Triton, pyarrow, Python…"""
    notes: tuple[str, ...] = field(default=())
    """What a reader must know besides: a store without conditional writes, for example."""

    @property
    def rate(self) -> float | None:
        """Rows per second while this run scored; None when it scored nothing."""
        return (
            self.rows_this_run / self.scoring_s if self.rows_this_run and self.scoring_s else None
        )
