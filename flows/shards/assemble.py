"""Assemble the columns of a part from a batch with the model's answer."""

from collections import abc
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flows.shards.column_types import is_text
from flows.shards.decode import decode
from flows.shards.encode import Rejection
from flows.shards.mapping import Mapping
from flows.shards.row_selection import filter_rows
from flows.shards.types import Scalar


@dataclass(frozen=True, slots=True)
class Assembled:
    """Rows ready to be written."""

    columns: pa.RecordBatch
    """In the part's schema: kept columns, partition columns, outputs."""
    accepted: np.ndarray
    """bool[n]: which rows of the batch are in `columns`."""
    rejected: tuple[Rejection, ...]
    """Rows whose answer cannot be written; only text that is not UTF-8 is such a case."""


def narrow(accepted: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Return which rows of a batch are left when of the accepted ones only `inner` remain.

    `accepted`: bool[n]; `inner`: bool[k] over the k rows that `accepted` holds.
    """
    if inner.all():
        return accepted
    left = np.zeros_like(accepted)
    left[np.flatnonzero(accepted)[inner]] = True
    return left


def assemble(
    source: pa.RecordBatch,
    accepted: np.ndarray,
    partitions: abc.Mapping[str, Scalar],
    outputs: abc.Mapping[str, np.ndarray],
    mapping: Mapping,
) -> Assembled:
    """Return the part's rows for a batch that was read, in its order.

    `accepted`: bool[rows of source], the rows that the outputs are for; `outputs`: arrays
    [accepted rows, …] by output name; `partitions`: values of the file's partition columns.
    """
    decoded = decode(outputs, mapping)
    rejected = _text_faults(decoded, accepted, mapping)
    if rejected:
        left = accepted.copy()
        left[[rejection.row for rejection in rejected]] = False
        inner = left[accepted]
        decoded = [filter_rows(column, inner) for column in decoded]
        accepted = left
    kept = [source.column(name) for name in mapping.kept_columns]
    if not accepted.all():
        kept = [filter_rows(column, accepted) for column in kept]
    rows = int(np.count_nonzero(accepted))
    schema = mapping.output_schema
    constants = [
        pa.repeat(pa.scalar(partitions[name], schema.field(name).type), rows)
        for name in mapping.partition_columns
    ]
    columns = [
        column if column.type == field.type else column.cast(field.type)
        for column, field in zip([*kept, *constants, *decoded], schema, strict=True)
    ]
    return Assembled(pa.RecordBatch.from_arrays(columns, schema=schema), accepted, rejected)


def _text_faults(
    decoded: list[pa.Array], accepted: np.ndarray, mapping: Mapping
) -> tuple[Rejection, ...]:
    """Return the rows of text outputs that are not UTF-8, each with its first fault, in order."""
    found: dict[int, Rejection] = {}
    for column, output in zip(decoded, mapping.outputs, strict=True):
        if not is_text(_leaf_type(output.type)):
            continue
        values, per_row = _flat(column)
        rows = np.flatnonzero(accepted)
        for position in _not_utf8(values):
            row = int(rows[position // per_row])
            reason = f"text that is not UTF-8 in output {output.spec.name}"
            found.setdefault(row, Rejection(row, reason, repr(values[position].as_py())[:80]))
    return tuple(found[row] for row in sorted(found))


def _leaf_type(arrow_type: pa.DataType) -> pa.DataType:
    while pa.types.is_nested(arrow_type):
        arrow_type = arrow_type.value_type
    return arrow_type


def _flat(column: pa.Array) -> tuple[pa.Array, int]:
    """Return the values of a column with how many there are to a row."""
    rows = len(column)
    while pa.types.is_nested(column.type):
        column = column.flatten()
    return column, max(1, len(column) // rows) if rows else 1


def _not_utf8(values: pa.Array) -> list[int]:
    """Return the positions of the values that are not UTF-8; quick when there are none."""
    try:
        values.cast(pa.string())
    except pa.ArrowInvalid:
        return [k for k, value in enumerate(values.to_pylist()) if not _is_utf8(value)]
    return []


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
