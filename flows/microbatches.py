"""Turn the rows of a shard into encoded microbatches, in the order of the file."""

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flows.gathering import Gathering
from flows.settings import ScoringSettings
from flows.shards.encode import Allocate, Encoded
from flows.shards.mapping import Mapping
from flows.shards.object_store import ObjectStore
from flows.shards.reader import read_shard
from flows.shards.row_bytes import decoded_bytes
from flows.shards.row_lengths import split_by_length
from flows.shards.row_selection import take_batch
from flows.shards.types import Shard
from flows.stopwatch import Stopwatch
from inference.shared_memory import Buffer
from inference.tensors import numpy_dtype
from registry.domain import TensorSpec

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
    read_rows: int
    """Most rows that are decoded at a time."""
    buffer_bytes: int
    """Bytes that their fixed-size inputs take; 0 when none has a fixed size."""
    read_bytes: int
    """Bytes of decoded rows, kept columns included, after which a reading ends."""
    most_bytes: int
    """Most bytes of decoded rows; a reading that alone has more is a microbatch."""


def microbatch_size(
    mapping: Mapping, settings: ScoringSettings, *, max_batch_size: int, row_bytes: int
) -> MicrobatchSize:
    """Choose the rows of a microbatch from the bytes that a row takes, or its answer.

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
    wide = max(fixed + unknown, 1)
    # A wide answer takes as much memory, and time on the wire, as wide inputs do.
    answer = sum(_answer_bytes(output.spec) for output in mapping.outputs)
    by_bytes = settings.microbatch_bytes // max(wide, answer)
    if row_bytes > _FAT * wide:
        by_bytes = _power_of_two(settings.microbatch_bytes // row_bytes)
    limits = [by_bytes, settings.microbatch_max_rows]
    if max_batch_size:
        limits.append(max_batch_size * _REQUESTS)
    rows = max(1, min(limits))
    slack = _ALIGNMENT * len(mapping.encoders)
    return MicrobatchSize(
        rows,
        read_rows=rows if mapping.is_ragged else min(rows, settings.read_bytes // wide or 1),
        buffer_bytes=rows * fixed + slack if fixed else 0,
        read_bytes=settings.microbatch_bytes,
        most_bytes=settings.microbatch_bytes * _FAT,
    )


def _answer_bytes(spec: TensorSpec) -> int:
    """Return the bytes of a row of an output, as far as the signature tells."""
    if spec.datatype == "BYTES" or -1 in spec.row_shape:
        return _UNKNOWN_BYTES
    return math.prod(spec.row_shape) * numpy_dtype(spec.datatype).itemsize


def _power_of_two(number: int) -> int:
    """Round down, so that shards with nearly equal rows use buffers of the same size."""
    return 1 << max(number.bit_length() - 1, 0)


class MicrobatchReader:
    """Read a shard microbatch by microbatch; to be used from one thread at a time."""

    def __init__(
        self,
        store: ObjectStore,
        shard: Shard,
        mapping: Mapping,
        *,
        size: MicrobatchSize,
        watch: Stopwatch,
    ) -> None:
        self._mapping = mapping
        self._shard = shard
        self._size = size
        self._watch = watch
        self._row = shard.row_start
        self._groups = self._split if mapping.is_ragged else self._gather
        self._waiting: pa.RecordBatch | None = None
        self._batches = read_shard(
            store,
            shard,
            mapping.read_columns,
            batch_rows=size.read_rows,
            batch_bytes=size.read_bytes,
        )

    def next(self, buffer: Buffer) -> Microbatch | None:
        """Return the next rows, with inputs of fixed size in `buffer`; None at the end.

        Raises the errors of `read_shard`.
        """
        groups = self._groups(lambda _, shape, dtype: buffer.allocate(shape, dtype))
        rows = sum(len(group.rows) for group in groups)
        if not rows:
            return None
        row_start, self._row = self._row, self._row + rows
        return Microbatch(row_start, rows, groups)

    def close(self) -> None:
        """Let go of the file."""
        self._batches.close()

    def _read(self) -> pa.RecordBatch | None:
        with self._watch.work("read"):
            return next(self._batches, None)

    def _gather(self, allocate: Allocate) -> tuple[Group, ...]:
        """Make one group of as many record batches as fit; the next one waits."""
        partitions, most = self._shard.file.partitions, self._size.rows
        gathering = Gathering(self._mapping, partitions, rows=most, allocate=allocate)
        size = 0
        while (batch := self._waiting or self._read()) is not None:
            self._waiting = batch
            size += decoded_bytes(batch)
            full = gathering.rows + batch.num_rows > most or size > self._size.most_bytes
            if full and gathering.rows:
                break
            self._waiting = None
            with self._watch.work("encode"):
                gathering.add(batch)
        if not gathering.rows:
            return ()
        rows = np.arange(gathering.rows)
        return (Group(rows, gathering.source(), gathering.encoded()),)

    def _split(self, allocate: Allocate) -> tuple[Group, ...]:
        """Make a group of each shape that the rows of the next record batch have."""
        batch = self._read()
        if batch is None:
            return ()
        with self._watch.work("encode"):
            return tuple(
                self._group(batch, rows, allocate) for rows in split_by_length(batch, self._mapping)
            )

    def _group(self, batch: pa.RecordBatch, rows: np.ndarray, allocate: Allocate) -> Group:
        alike = batch if len(rows) == batch.num_rows else take_batch(batch, rows)
        partitions = self._shard.file.partitions
        gathering = Gathering(self._mapping, partitions, rows=len(rows), allocate=allocate)
        gathering.add(alike)
        return Group(rows, gathering.source(), gathering.encoded())
