"""Convert the values of a column to a tensor's datatype."""

import numpy as np
import pyarrow as pa

from flows.shards import decimals, parsing
from flows.shards.casts import Cast, CastKind
from flows.shards.column_types import is_text, to_numpy, unwrap
from flows.shards.float_ranges import FLOAT_RANGES


def faults(array: pa.Array, cast: Cast) -> np.ndarray | None:
    """Mark the values (no nulls) that cannot be converted: bool[n], or None when all can.

    The casts that are exact by their types are not looked at; integers are looked at one by one
    only when the column's smallest or largest does not fit.
    """
    match cast.kind:
        case CastKind.EXACT | CastKind.BYTES:
            return None
        case CastKind.CHECKED:
            return _integer_faults(array, cast)
        case CastKind.DECIMAL:
            return _decimal_faults(array, cast)
        case CastKind.ROUNDED:
            return _overflowing(_plain(array), cast)
        case CastKind.TRUNCATED:
            return _not_integers(_plain(array), cast.dtype)
        case CastKind.PARSED:
            return parsing.unreadable(array, cast.dtype)


def fault_reason(cast: Cast) -> str:
    """Say, without the value, why `faults` marks one: `not exact as FP32`."""
    match cast.kind:
        case CastKind.PARSED:
            return f"text that is no {cast.datatype}"
        case CastKind.CHECKED if cast.datatype in FLOAT_RANGES and not cast.rounds:
            return f"value not exact as {cast.datatype}"
        case _:
            return f"value outside {cast.datatype}"


def convert(array: pa.Array, cast: Cast) -> np.ndarray:
    """Return values (no nulls, no faults) in an array whose assignment to `cast.dtype` is right.

    A view of Arrow's memory where the type is the tensor's already. BYTES give object[n] of
    `bytes`.
    """
    array = unwrap(array)
    match cast.kind:
        case CastKind.BYTES:
            plain = array.cast(pa.large_binary()) if is_text(array.type) else array
            return to_numpy(plain)
        case CastKind.DECIMAL if cast.datatype in FLOAT_RANGES:
            return decimals.floats(array)
        case CastKind.DECIMAL:
            return decimals.integers(array, cast.dtype)[0]
        case CastKind.PARSED:
            return parsing.numbers(array, cast.dtype)
        case _:
            return _plain(array)


def _plain(array: pa.Array) -> np.ndarray:
    """Numbers as they are; dates and times as the integers that store them."""
    kind = array.type
    if pa.types.is_temporal(kind):
        if pa.types.is_date64(kind):
            return to_numpy(array.view(pa.int64())) // _DAY_MS
        return to_numpy(array.view(pa.int32() if kind.bit_width == 32 else pa.int64()))
    return to_numpy(array)


_DAY_MS = 86_400_000


def _integer_faults(array: pa.Array, cast: Cast) -> np.ndarray | None:
    """1. float targets: exact up to 2**bits; above, by value or, when rounding, by range
    2. integer and BOOL targets: by range
    """
    values = _plain(array)
    if not len(values):
        return None
    low, high = _extremes(values)
    if cast.datatype in FLOAT_RANGES:
        limit = 2 ** FLOAT_RANGES[cast.datatype].bits
        if -limit <= low and high <= limit:
            return None
        return _overflowing(values, cast) if cast.rounds else _inexact(values, cast)
    least, most = (0, 1) if cast.datatype == "BOOL" else _limits(cast.dtype)
    if least <= low and high <= most:
        return None
    return (values < least) | (values > most)


def _extremes(values: np.ndarray) -> tuple[float, float]:
    """Smallest and largest of at least one value; NaN when there is one."""
    return values.min().item(), values.max().item()


def _limits(dtype: np.dtype) -> tuple[int, int]:
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


def _inexact(values: np.ndarray, cast: Cast) -> np.ndarray:
    """Mark the integers that a float type does not hold.

    An integer is held when what is left of it without its trailing zero bits is at most as long
    as the significand, and it is in range.
    """
    limits = FLOAT_RANGES[cast.datatype]
    bits = values.astype(np.uint64)
    magnitude = np.where(values < 0, np.uint64(0) - bits, bits)
    odd_part = magnitude // np.maximum(magnitude & (np.uint64(0) - magnitude), np.uint64(1))
    too_long = odd_part >= np.uint64(2**limits.bits)
    inexact: np.ndarray = too_long | (magnitude > np.uint64(min(int(limits.largest), 2**64 - 1)))
    return inexact


def _overflowing(values: np.ndarray, cast: Cast) -> np.ndarray | None:
    """Mark the finite values that a narrower float would turn into infinity."""
    if not len(values):
        return None
    overflow = FLOAT_RANGES[cast.datatype].overflow
    low, high = _extremes(values)
    if -overflow < low and high < overflow:
        return None
    beyond: np.ndarray = np.isfinite(values) & (np.abs(values.astype(np.float64)) >= overflow)
    return beyond


def _not_integers(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Mark NaN, infinity or what is out of range once truncated."""
    least, most = _limits(dtype)
    wide = values.astype(np.float64, copy=False)
    # At 64 bits `least - 1` is not a float64, and no float64 lies between it and `least`.
    above = wide >= float(least) if dtype.itemsize == 8 and least else wide > least - 1.0
    return ~(above & (wide < most + 1.0))


def _decimal_faults(array: pa.Array, cast: Cast) -> np.ndarray | None:
    if cast.datatype in FLOAT_RANGES:
        return _overflowing(decimals.floats(array), cast) if cast.rounds else None
    values, outside = decimals.integers(array, cast.dtype)
    least, most = _limits(cast.dtype)
    beyond = (values < least) | (values > most)
    return beyond if outside is None else beyond | outside
