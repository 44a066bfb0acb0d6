"""Select rows of columns of any type."""

import numpy as np
import pyarrow as pa


def filter_rows(column: pa.Array, mask: np.ndarray) -> pa.Array:
    """Return the rows of a column where `mask` (bool[n]) is set."""
    try:
        return column.filter(pa.array(mask))
    except pa.ArrowNotImplementedError:  # view types, and what holds them
        return _select(column, np.flatnonzero(mask))


def take_rows(column: pa.Array, rows: np.ndarray) -> pa.Array:
    """Return the rows of a column at the positions `rows`, in their order."""
    try:
        return column.take(pa.array(rows))
    except pa.ArrowNotImplementedError:  # view types, and what holds them
        return _select(column, rows)


def take_batch(batch: pa.RecordBatch, rows: np.ndarray) -> pa.RecordBatch:
    """Return the rows of a batch at the positions `rows`, in their order."""
    columns = [take_rows(column, rows) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _select(column: pa.Array, rows: np.ndarray) -> pa.Array:
    """Join runs of rows: arrow 26 neither filters nor takes view types, nor what holds them."""
    if not len(rows):
        return column.slice(0, 0)
    starts = np.flatnonzero(np.diff(rows, prepend=rows[0] - 2) != 1)
    lengths = np.diff(starts, append=len(rows))
    runs = zip(rows[starts].tolist(), lengths.tolist(), strict=True)
    return pa.concat_arrays([column.slice(start, length) for start, length in runs])
