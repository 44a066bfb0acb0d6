"""Read text columns as numbers."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flows.shards import decimals
from flows.shards.column_types import to_numpy

_INTEGER = r"^[+-]?[0-9]{1,38}$"
_FLOAT = (
    r"^[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?"
    r"|(?i:nan|inf|infinity))$"
)
_TRUTH = r"^(?i:true|false|0|1)$"


def unreadable(array: pa.Array, dtype: np.dtype) -> np.ndarray:
    """Mark the texts (no nulls) that are not a value of `dtype`: bool[n].

    Integers are decimal digits with an optional sign, floats as C's strtod writes them without
    hexadecimals, truth values `true`, `false`, `1`, `0` in any case; white space around is let
    be. Out of range is unreadable too; `inf` and `nan` are values of a float.
    """
    text = _trim(array)
    wrong = ~_matches(text, {"b": _TRUTH, "f": _FLOAT}.get(dtype.kind, _INTEGER))
    if dtype.kind == "b" or wrong.all():
        return wrong
    readable = np.flatnonzero(~wrong)
    kept = text.filter(pa.array(~wrong)) if wrong.any() else text
    if dtype.kind == "f":
        values = _floats(kept, dtype)
        infinite = np.flatnonzero(np.isinf(values))
        spelled = _matches(kept.take(pa.array(infinite)), "(?i)inf")
        wrong[readable[infinite[~spelled]]] = True
        return wrong
    values, outside = _integers(kept, dtype)
    limits = np.iinfo(dtype)
    beyond = (values < limits.min) | (values > limits.max)
    wrong[readable[beyond if outside is None else beyond | outside]] = True
    return wrong


def numbers(array: pa.Array, dtype: np.dtype) -> np.ndarray:
    """Return texts (no nulls, all readable) as `dtype`[n], floats rounded to the nearest."""
    text = _trim(array)
    if dtype.kind == "b":
        return to_numpy(text.cast(pa.bool_()))
    if dtype.kind == "f":
        return _floats(text, dtype)
    return _integers(text, dtype)[0].astype(dtype, copy=False)


def _trim(array: pa.Array) -> pa.Array:
    return pc.utf8_trim_whitespace(array.cast(pa.large_string()))


def _matches(text: pa.Array, pattern: str) -> np.ndarray:
    return to_numpy(pc.match_substring_regex(text, pattern))


def _floats(text: pa.Array, dtype: np.dtype) -> np.ndarray:
    return to_numpy(text.cast(pa.from_numpy_dtype(dtype)))


def _integers(text: pa.Array, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray | None]:
    return decimals.integers(text.cast(pa.decimal128(38, 0)), dtype)
