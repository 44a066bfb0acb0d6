"""Decode a model's outputs as the columns of a part."""

import math
from collections import abc

import numpy as np
import pyarrow as pa

from flows.shards.column_errors import WrongShape
from flows.shards.mapping import Mapping, OutputColumn


def decode(outputs: abc.Mapping[str, np.ndarray], mapping: Mapping) -> list[pa.Array]:
    """Return one column for each output, in the order of the part's schema.

    Numbers are views of the given arrays, which must not change before the part is written. BYTES
    are copied, and outputs to be written as text are binary still. Raises `WrongShape` when an
    array is not what the signature promises.
    """
    return [decode_output(outputs[column.spec.name], column) for column in mapping.outputs]


def decode_output(array: np.ndarray, column: OutputColumn) -> pa.Array:
    """Return one output, [n, …], as a column of n values or lists."""
    _check_shape(array, column)
    flat = np.ascontiguousarray(array).reshape(-1)
    if array.dtype.kind == "O":
        decoded = pa.array(flat.tolist(), pa.binary())
    else:
        decoded = pa.array(flat)
    if not pa.types.is_nested(column.type):
        return decoded
    for axis in range(array.ndim - 1, 0, -1):
        if column.spec.shape[axis] == -1:
            decoded = _lists(decoded, math.prod(array.shape[:axis]), array.shape[axis])
        else:
            decoded = pa.FixedSizeListArray.from_arrays(decoded, array.shape[axis])
    return decoded


def _lists(values: pa.Array, count: int, size: int) -> pa.Array:
    """Return the values as `count` lists of `size` each."""
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * np.int32(size))
    return pa.ListArray.from_arrays(offsets, values)


def _check_shape(array: np.ndarray, column: OutputColumn) -> None:
    promised = column.spec.shape
    fits = len(array.shape) == len(promised) and all(
        declared in {-1, size} for declared, size in zip(promised[1:], array.shape[1:], strict=True)
    )
    if not fits:
        raise WrongShape(
            f"output {column.spec} came as {list(array.shape)}: register the model's real shape",
            name=column.spec.name,
        )
