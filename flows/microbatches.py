"""Turn the rows of a shard into encoded microbatches, in the order of the file."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flows.settings import ScoringSettings
from flows.shards.encode import Encoded, encode
from flows.shards.mapping import Mapping
from flows.shards.object_store import ObjectStore
from flows.shards.reader import read_shard
from flows.shards.row_lengths import split_by_length
from flows.shards.row_selection import take_batch
from flows.shards.types import Shard
from flows.stopwatch import Stopwatch
from inference.shared_memory import Buffer
from inference.tensors import numpy_dtype

_UNKNOWN_BYTES = 256
"""Bytes assumed for a row of an input whose size the signature does not tell: a short text."""
_FAT = 4
"""Times that a row may be larger than its inputs before its own size counts."""
_ALIGNMENT = 64
_REQUESTS = 8
"""Requests that a microbatch may take when the model limits their rows: reading fewer rows at a
time costs more than it brings."""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of a microbatch that have the same shapes and travel in one request."""

    rows: np.ndarray
    """int64[n]: their positions in the microbatch, ascending."""
    source: pa.RecordBatch
    """The rows as they were read, with the columns that the part keeps."""
    encoded: Encoded
    """The rows as tensors, with those that could not become any."""


@dataclass(frozen=True, slots=True)
class Microbatch:
    """Consecutive rows of a shard."""

    row_start: int
    """Position in the file of the first row."""
    rows: int
    """How many."""
    groups: tuple[Group, ...]
    """One, unless lists of varying length feed an input whose shape varies."""


@dataclass(frozen=True, slots=True)
class MicrobatchSize:
    """How large microbatches of a mapping are."""

    rows: int
    """Most rows."""
    buffer_bytes: int
    """Bytes that their fixed-size inputs take; 0 when none has a fixed size."""


def microbatch_size(
    mapping: Mapping, settings: ScoringSettings, *, max_batch_size: int, row_bytes: int
) -> MicrobatchSize:
    """Choose the rows of a microbatch from the bytes that a row takes.

    `max_batch_size` is the model's limit for a request, 0 without one. A microbatch may take
    several requests, which go one after the other, so it is kept to a few. `row_bytes` is the
    mean size of the shard's rows as its file tells: it counts where texts or kept columns are
    larger than what the signature says of the inputs.
    """
    fixed = unknown = 0
    for encoder in mapping.encoders:
        is_fixed = encoder.spec.datatype != "BYTES" and not encoder.is_ragged
        if is_fixed:
            fixed += math.prod(encoder.row_shape) * numpy_dtype(encoder.spec.datatype).itemsize
        else:
            unknown += _UNKNOWN_BYTES
    by_bytes = settings.microbatch_bytes // max(fixed + unknown, 1)
    if row_bytes > _FAT * (fixed + unknown):
        by_bytes = _power_of_two(settings.microbatch_bytes // row_bytes)
    limits = [by_bytes, settings.microbatch_max_rows]
    if max_batch_size:
        limits.append(max_batch_size * _REQUESTS)
    rows = max(1, min(limits))
    slack = _ALIGNMENT * len(mapping.encoders)
    return MicrobatchSize(rows, rows * fixed + slack if fixed else 0)


def _power_of_two(number: int) -> int:
    """Round down, so that shards with nearly equal rows use buffers of the same size."""
    return 1 << max(number.bit_length() - 1, 0)


class MicrobatchReader:
    """Read a shard microbatch by microbatch; to be used from one thread at a time."""

    def __init__(
        self, store: ObjectStore, shard: Shard, mapping: Mapping, *, rows: int, watch: Stopwatch
    ) -> None:
        self._mapping = mapping
        self._shard = shard
        self._watch = watch
        self._row = shard.row_start
        self._batches = read_shard(store, shard, mapping.read_columns, batch_rows=rows)

    def next(self, buffer: Buffer) -> Microbatch | None:
        """Return the next rows, with inputs of fixed size in `buffer`; None at the end.

        Raises the errors of `read_shard`.
        """
        with self._watch.stage("read"):
            batch = next(self._batches, None)
        if batch is None:
            return None
        with self._watch.stage("encode"):
            groups = tuple(self._groups(batch, buffer))
        row_start, self._row = self._row, self._row + batch.num_rows
        return Microbatch(row_start, batch.num_rows, groups)

    def close(self) -> None:
        """Let go of the file."""
        self._batches.close()

    def _groups(self, batch: pa.RecordBatch, buffer: Buffer) -> Iterator[Group]:
        selections = split_by_length(batch, self._mapping)
        for rows in selections:
            source = batch if len(selections) == 1 else take_batch(batch, rows)
            encoded = encode(
                source,
                self._mapping,
                partitions=self._shard.file.partitions,
                allocate=buffer.allocate if buffer.size else None,
            )
            # What was read for the inputs alone is let go: it is the most of a wide row.
            yield Group(rows, source.select(list(self._mapping.kept_columns)), encoded)
