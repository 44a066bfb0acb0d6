"""Decide how the values of an Arrow type become a tensor datatype."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pyarrow as pa

from flows.shards.column_errors import (
    CastNotAllowed,
    LossyCast,
    ParseCast,
    TemporalCast,
    UnsupportedDatatype,
    WrongType,
)
from flows.shards.column_types import is_bytes, is_text
from flows.shards.float_ranges import FLOAT_RANGES
from inference import tensors
from inference.tensors import numpy_dtype


class CastKind(StrEnum):
    """How values are converted, from the cheapest."""

    EXACT = "exact"
    """Every value of the source type is a value of the target: a view, or a plain widening."""
    BYTES = "bytes"
    """Text or binary, as the bytes it is."""
    CHECKED = "checked"
    """Integers that may not fit: each value is looked at."""
    DECIMAL = "decimal"
    """Decimals, through their unscaled integers."""
    ROUNDED = "rounded"
    """Floats to a narrower float; values beyond its range are faults."""
    TRUNCATED = "truncated"
    """Floats to integers, toward zero; NaN, infinity or values out of range are faults."""
    PARSED = "parsed"
    """Text read as numbers."""


@dataclass(frozen=True, slots=True)
class Cast:
    """The conversion of one column's values to one input's datatype."""

    source: pa.DataType
    """Type of the values, without dictionary encoding, extension or lists."""
    datatype: str
    """The tensor's datatype."""
    kind: CastKind
    """How the values are converted."""
    rounds: bool
    """Whether a value may change to the nearest one that the datatype can hold."""

    @property
    def dtype(self) -> np.dtype:
        """The numpy type of the converted values."""
        return numpy_dtype(self.datatype)

    @property
    def is_total(self) -> bool:
        """Whether every value of the source type can be converted."""
        return self.kind in {CastKind.EXACT, CastKind.BYTES}


def plan_cast(
    source: pa.DataType, datatype: str, permissions: Collection[str], *, column: str, tensor: str
) -> Cast:
    """Return the conversion of `column`'s values to `tensor`'s datatype.

    Raises `WrongType` when there is none, a `CastNotAllowed` when the job has not asked for it,
    `UnsupportedDatatype` when the tensor's datatype is unknown.
    """
    check_datatype(datatype, f"input {tensor!r}", tensor)
    subject = f"column {column!r} is {source}, input {tensor!r} takes {datatype}"
    try:
        kind, needed = _decide(source, datatype)
    except WrongType as error:
        raise WrongType(f"{subject}: {error}", name=column) from None
    for refusal in needed:
        if refusal.permission not in permissions:
            raise refusal(
                f"{subject}: {_MEANING[refusal.permission]}; allow it with "
                f"--cast {refusal.permission} (the job's casts), or map another column",
                name=column,
            )
    return Cast(source, datatype, kind, "lossy" in permissions)


def check_datatype(datatype: str, subject: str, name: str) -> None:
    """Raise `UnsupportedDatatype` for a datatype that this program does not have."""
    try:
        numpy_dtype(datatype)
    except tensors.UnsupportedDatatype as error:
        raise UnsupportedDatatype(f"{subject}: {error}", name=name) from None


_MEANING = {
    "lossy": "converting it may change values",
    "temporal": "converting it reads dates or times as numbers since the epoch",
    "parse": "converting it reads text as numbers",
}

_Decision = tuple[CastKind, tuple[type[CastNotAllowed], ...]]


def _decide(source: pa.DataType, datatype: str) -> _Decision:
    """Choose the conversion with the permissions it needs.

    1. text or binary to BYTES: the bytes;  text to a number: parsed, when asked
    2. anything else to BYTES, and binary to a number: none
    3. temporal: like the integer it is stored as, when asked
    4. bool, integers, floats, decimals to a number or BOOL: by range and precision
    5. anything else (struct, map, null…): none
    """
    if datatype == "BYTES":
        if is_text(source) or is_bytes(source):
            return CastKind.BYTES, ()
        raise WrongType("only text or binary can feed it; map such a column")
    if is_text(source):
        return CastKind.PARSED, (ParseCast,)
    if pa.types.is_temporal(source) and not pa.types.is_interval(source):
        ticks = pa.int32() if source.bit_width == 32 else pa.int64()
        kind, needed = _decide_number(ticks, datatype)
        return kind, (TemporalCast, *needed)
    if (
        pa.types.is_boolean(source)
        or pa.types.is_integer(source)
        or pa.types.is_floating(source)
        or pa.types.is_decimal(source)
    ):
        return _decide_number(source, datatype)
    raise WrongType("there is no conversion; map a column of numbers")


def _decide_number(source: pa.DataType, datatype: str) -> _Decision:
    if pa.types.is_boolean(source):
        return CastKind.EXACT, ()
    if pa.types.is_integer(source):
        exact = _integer_fits(np.dtype(source.to_pandas_dtype()), datatype)
        return (CastKind.EXACT if exact else CastKind.CHECKED), ()
    if datatype == "BOOL":
        raise WrongType(
            "a number with a fraction has no truth value; map a bool column, or integers 0 and 1"
        )
    if pa.types.is_decimal(source):
        return CastKind.DECIMAL, () if _decimal_survives(source, datatype) else (LossyCast,)
    if datatype not in FLOAT_RANGES:
        return CastKind.TRUNCATED, (LossyCast,)
    if np.finfo(source.to_pandas_dtype()).nmant < FLOAT_RANGES[datatype].bits:
        return CastKind.EXACT, ()
    return CastKind.ROUNDED, (LossyCast,)


def _integer_fits(source: np.dtype, datatype: str) -> bool:
    """Tell whether every value of an integer type is a value of the datatype."""
    if datatype == "BOOL":
        return False
    if datatype in FLOAT_RANGES:
        value_bits = source.itemsize * 8 - (source.kind == "i")
        return value_bits <= FLOAT_RANGES[datatype].bits
    return bool(np.can_cast(source, numpy_dtype(datatype), casting="safe"))


def _decimal_survives(source: pa.DataType, datatype: str) -> bool:
    """Tell whether a decimal's digits survive the way there and back.

    To an integer when there are none after the point (its range is checked by value); to a float
    when there are no more than it keeps, inside its normal range.
    """
    if datatype not in FLOAT_RANGES:
        return bool(source.scale <= 0)
    limits = FLOAT_RANGES[datatype]
    return bool(
        source.precision <= limits.digits
        and 10.0**-source.scale >= limits.smallest
        and 10.0 ** (source.precision - source.scale) <= limits.largest
    )
