"""Encode columns as a model's inputs."""

from collections import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from flows.shards import screening, values
from flows.shards.column_errors import MixedLengths
from flows.shards.layout import ColumnEncoder, Source
from flows.shards.mapping import Mapping
from flows.shards.row_lengths import common_lengths
from flows.shards.row_selection import filter_rows
from flows.shards.types import Scalar

Allocate = Callable[[str, tuple[int, ...], np.dtype], np.ndarray]
"""Gives a C-contiguous array for an input of a shape and dtype, as inside shared memory."""

_ROWS_AT_ONCE = 1024
"""Rows that are stacked at a time: 1,024 rows of 64 FP32 are 256 KiB, which stays in a core's
L2 cache while column after column is laid into it."""


class Rejection(NamedTuple):
    """A row that cannot be scored."""

    row: int
    """Position in the batch."""
    reason: str
    """The same for the same cause: `null in dep_delay`."""
    detail: str
    """The value at fault, when there is one to show."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A batch as the model's inputs, with the rows that could not be."""

    inputs: abc.Mapping[str, np.ndarray]
    """C-contiguous arrays [accepted rows, …] in the signature's order; may be read-only views of
    the batch. BYTES are object arrays of `bytes`; BF16 are float32, to be rounded on the way."""
    accepted: np.ndarray
    """bool[n]: which rows of the batch are in `inputs`."""
    rejected: tuple[Rejection, ...]
    """The other rows, in order."""

    @property
    def rows(self) -> int:
        """Rows in `inputs`."""
        return len(self.accepted) - len(self.rejected)


def encode(
    batch: pa.RecordBatch,
    mapping: Mapping,
    *,
    partitions: abc.Mapping[str, Scalar],
    allocate: Allocate | None = None,
) -> Encoded:
    """Encode the rows of a batch that can be; tell the others.

    `partitions` are the values of the file's partition columns. Without `allocate` an input is a
    view of the batch where one column of the right type has no nulls, else a new array; with it,
    every input but BYTES is written into what `allocate(name, shape, dtype)` returns. Raises
    `MixedLengths` when `split_by_length` was due first.
    """
    columns = _columns(batch, mapping, partitions)
    resolved = [_resolve(encoder, columns) for encoder in mapping.encoders]
    rejected = _screen(columns, resolved)
    accepted = np.ones(batch.num_rows, np.bool_)
    if rejected:
        accepted[[rejection.row for rejection in rejected]] = False
        columns = {name: filter_rows(column, accepted) for name, column in columns.items()}
    rows = batch.num_rows - len(rejected)
    inputs = {
        encoder.spec.name: _encode_input(columns, encoder, rows, allocate) for encoder in resolved
    }
    return Encoded(inputs, accepted, rejected)


def _columns(
    batch: pa.RecordBatch, mapping: Mapping, partitions: abc.Mapping[str, Scalar]
) -> dict[str, pa.Array]:
    """Return the columns that feed inputs, each once."""
    columns: dict[str, pa.Array] = {}
    for encoder in mapping.encoders:
        for source in encoder.sources:
            if source.is_partition:
                value = pa.scalar(partitions[source.column], source.cast.source)
                columns[source.column] = pa.repeat(value, batch.num_rows)
            else:
                columns[source.column] = batch.column(source.column)
    return columns


def _resolve(encoder: ColumnEncoder, columns: abc.Mapping[str, pa.Array]) -> ColumnEncoder:
    """Return the encoder with the lengths that this batch's lists have."""
    if not encoder.is_ragged:
        return encoder
    (source,) = encoder.sources
    levels = common_lengths(columns[source.column], source.levels)
    if levels is None:
        raise MixedLengths(
            f"column {source.column!r} has lists of different lengths in one batch, input "
            f"{encoder.spec} takes one length at a time: split the batch with split_by_length",
            name=source.column,
        )
    fixed = Source(source.column, source.is_partition, levels, source.cast)
    return ColumnEncoder(encoder.spec, (fixed,), levels)


def _screen(
    columns: abc.Mapping[str, pa.Array], encoders: list[ColumnEncoder]
) -> tuple[Rejection, ...]:
    """Return the rows that cannot be encoded, each with its first fault, in order."""
    found: dict[int, Rejection] = {}
    for encoder in encoders:
        for source in encoder.sources:
            for fault in screening.find_faults(columns[source.column], source):
                for k, row in enumerate(fault.rows.tolist()):
                    if row not in found:
                        found[row] = Rejection(row, *fault.say(k))
    return tuple(found[row] for row in sorted(found))


def _encode_input(
    columns: abc.Mapping[str, pa.Array],
    encoder: ColumnEncoder,
    rows: int,
    allocate: Allocate | None,
) -> np.ndarray:
    """Return one input from columns without faults.

    1. one column, no `allocate` or BYTES: converted as a whole, or a view
    2. else: one array that the columns are laid into, side by side
    """
    dtype = encoder.sources[0].cast.dtype
    shape = (rows, *encoder.row_shape)
    parts = [
        values.convert(
            screening.leaves(columns[source.column], len(source.levels)), source.cast
        ).reshape(rows, source.width)
        for source in encoder.sources
    ]
    in_place = allocate is not None and dtype.kind != "O"
    if len(parts) == 1 and not in_place:
        return np.ascontiguousarray(parts[0].astype(dtype, copy=False)).reshape(shape)
    name = encoder.spec.name
    whole = allocate(name, shape, dtype) if allocate and in_place else np.empty(shape, dtype)
    _stack(parts, whole.reshape(rows, -1) if rows else whole.reshape(0, 1))
    return whole


def _stack(parts: list[np.ndarray], whole: np.ndarray) -> None:
    """Lay [rows, width] parts beside each other into `whole`, converting on the way."""
    for start in range(0, len(whole), _ROWS_AT_ONCE):
        stop = start + _ROWS_AT_ONCE
        left = 0
        for part in parts:
            right = left + part.shape[1]
            whole[start:stop, left:right] = part[start:stop]
            left = right
