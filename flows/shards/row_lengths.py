"""Split rows whose lists differ in length into batches whose lists do not."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flows.shards.column_types import unwrap
from flows.shards.mapping import Mapping
from flows.shards.row_selection import take_batch

_NO_LENGTH = -1


def split_by_length(batch: pa.RecordBatch, mapping: Mapping) -> list[np.ndarray]:
    """Return the rows of each batch to encode by itself: int64 positions, ascending.

    One array of all rows, unless an input's shape varies by row (a `-1` behind the first
    dimension, fed by lists of varying length): then one array for each combination of lengths,
    the most rows first. Nothing is padded, because only the model knows what padding means to it;
    a dataset sorted by length, or bucketed, makes large microbatches. Rows that cannot be encoded
    anyway (null, empty list) are among the first.
    """
    everything = np.arange(batch.num_rows)
    keys = _keys(batch, mapping)
    if not keys or not batch.num_rows:
        return [everything]
    table = np.stack(keys, axis=1)
    encodable = (table > 0).all(axis=1)
    _, group = np.unique(table[encodable], axis=0, return_inverse=True)
    if group.size == 0 or group.max() == 0:
        return [everything]
    order = np.argsort(-np.bincount(group), kind="stable")
    labels = np.full(batch.num_rows, order[0])
    labels[encodable] = group
    return [np.flatnonzero(labels == each) for each in order]


def restore_order(pieces: Sequence[tuple[pa.RecordBatch, np.ndarray]]) -> pa.RecordBatch:
    """Join the scored pieces of one batch in the batch's order.

    Each piece comes with the position in the batch of each of its rows.
    """
    if len(pieces) == 1:
        return pieces[0][0]
    joined = pa.concat_batches([piece for piece, _ in pieces])
    positions = np.concatenate([rows for _, rows in pieces])
    return take_batch(joined, np.argsort(positions, kind="stable"))


def common_lengths(array: pa.Array, levels: Sequence[int]) -> tuple[int, ...] | None:
    """Return `levels` with each -1 replaced by the length that all rows have.

    Null rows and empty lists do not count; without any other row the length is 1. None when rows
    differ.
    """
    found = _lengths(array, levels)
    table = np.stack([lengths for _, lengths in found], axis=1)
    present = table[(table > 0).all(axis=1)]
    if not len(present):
        return tuple(1 if size == -1 else size for size in levels)
    if (present != present[0]).any():
        return None
    resolved = list(levels)
    for (level, _), length in zip(found, present[0].tolist(), strict=True):
        resolved[level] = length
    return tuple(resolved)


def _keys(batch: pa.RecordBatch, mapping: Mapping) -> list[np.ndarray]:
    return [
        lengths
        for encoder in mapping.encoders
        if encoder.is_ragged
        for source in encoder.sources
        for _, lengths in _lengths(batch.column(source.column), source.levels)
    ]


def _lengths(array: pa.Array, levels: Sequence[int]) -> list[tuple[int, np.ndarray]]:
    """Return, for each level that may vary, the length in each row of its first list."""
    found = []
    array = unwrap(array)
    last = max(level for level, size in enumerate(levels) if size == -1)
    for level, size in enumerate(levels[: last + 1]):
        lengths = pc.fill_null(pc.list_value_length(array), _NO_LENGTH).to_numpy()
        if size == -1:
            found.append((level, lengths.astype(np.int64)))
        if level < last:
            array = unwrap(_first(array, lengths))
    return found


def _first(array: pa.Array, lengths: np.ndarray) -> pa.Array:
    """Return the first element of each list; null, which has no length, for an empty one."""
    present = lengths > 0
    starts = np.cumsum(np.where(present, lengths, 0)) - np.where(present, lengths, 0)
    indexes = pa.array(starts, mask=~present)
    return array.flatten().take(indexes)
