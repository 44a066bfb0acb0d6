"""The values that planning, scoring and committing pass to each other."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

Scalar = str | int | None
"""The value of a hive partition column; None for `__HIVE_DEFAULT_PARTITION__`."""


@dataclass(frozen=True, slots=True)
class RowGroup:
    """One row group of a Parquet file, as its footer describes it."""

    rows: int
    """Rows it holds; may be 0."""
    bytes: int
    """Uncompressed bytes of the columns that the job reads."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """One Parquet file of the dataset, pinned by what identifies its content."""

    key: str
    """Path below the dataset's root, with `/`."""
    etag: str
    """Identity of the content as the store tells it; read again before every use."""
    size: int
    """Bytes."""
    row_groups: tuple[RowGroup, ...]
    """In file order."""
    partitions: Mapping[str, Scalar]
    """Hive partition columns read from the key, in path order."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A contiguous range of row groups of one file: the unit of work, retry and commit."""

    index: int
    """Position in the plan, from 0."""
    file: InputFile
    """Where the rows are."""
    group_start: int
    """First row group."""
    group_stop: int
    """First row group not included."""
    row_start: int
    """Position in the file of the first row."""
    rows: int
    """Rows in the range; at least 1."""
    bytes: int
    """Uncompressed bytes of the columns that the job reads."""

    def __str__(self) -> str:
        last = self.row_start + self.rows - 1
        return f"shard {self.index} ({self.file.key}, rows {self.row_start}…{last})"


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A row that could not be scored, and why."""

    row: int
    """Position in its file."""
    stage: str
    """Where it failed: `encode`, `model` or `answer`."""
    reason: str
    """Short, the same for the same cause so that reasons can be counted: `null in dep_delay`."""
    detail: str = ""
    """What the reason leaves out: the value at fault, or the server's own words."""


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """The rows of one microbatch that were scored, in input order."""

    columns: pa.RecordBatch
    """The part's columns: kept columns, then partition columns, then the model's outputs."""
    quarantined: tuple[QuarantinedRow, ...]
    """The other rows of the microbatch."""
