"""Read decimal columns as numbers through their unscaled integers."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flows.shards.column_types import to_numpy

_EXACT_POWERS = 22
"""10**22 is the largest power of ten that float64 holds exactly."""
_INT64_DIGITS = 18
"""Every number of so many digits fits an INT64."""


def floats(array: pa.Array) -> np.ndarray:
    """Return a decimal column without nulls as float64[n].

    Up to 15 digits the result is the nearest float64: an exact integer divided by an exact power
    of ten rounds once (Clinger 1990). Arrow's own cast multiplies by an inexact power instead.
    """
    scale = array.type.scale
    if array.type.precision > _INT64_DIGITS or abs(scale) > _EXACT_POWERS:
        return to_numpy(array.cast(pa.float64()))
    unscaled: np.ndarray = _words(array)[:, 0].astype(np.float64)
    power = np.float64(10.0 ** abs(scale))
    return unscaled / power if scale >= 0 else unscaled * power


def integers(array: pa.Array, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the whole part (toward zero) of a decimal column without nulls.

    The first array is int64[n], or uint64[n] when `dtype` is UINT64. The second marks the values
    that do not fit it (theirs are meaningless); None when all fit by their number of digits.
    """
    whole_digits = array.type.precision - array.type.scale
    if array.type.scale != 0:
        array = _whole(array)
    words = _words(array)
    unsigned = dtype == np.dtype(np.uint64)
    low = words[:, 0].astype(np.int64, copy=False)
    if whole_digits <= _INT64_DIGITS:
        return (low.astype(np.uint64), low < 0) if unsigned else (low, None)
    fill = np.zeros(len(low), np.int64) if unsigned else low >> 63
    outside = (words[:, 1:] != fill[:, None]).any(axis=1)
    if unsigned:
        return low.view(np.uint64), outside
    return low, outside


def _whole(array: pa.Array) -> pa.Array:
    """Drop the digits after the point."""
    wide = pa.decimal256(76, 0) if array.type.bit_width == 256 else pa.decimal128(38, 0)
    return pc.cast(array, options=pc.CastOptions(wide, allow_decimal_truncate=True))


def _words(array: pa.Array) -> np.ndarray:
    """Return the unscaled integers as little-endian words [n, words], a view of Arrow's buffer."""
    width: int = array.type.bit_width
    dtype = np.dtype(np.int32 if width == 32 else np.int64)
    per_value = width // 8 // dtype.itemsize
    if not len(array):
        return np.empty((0, per_value), dtype)
    values: np.ndarray = np.frombuffer(array.buffers()[1], dtype=dtype)
    return values.reshape(-1, per_value)[array.offset : array.offset + len(array)]
