"""Compare what a shadow version answered with what the caller was given."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.tensors import Array, Mask, RawTensor
from inference.wire import tensor_from_bytes

_RELATIVE = 1e-3
_ABSOLUTE = 1e-6
"""Numbers that differ by less agree: what another GPU or batch size changes in float32 (numpy's
`isclose` with a wider relative tolerance)."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two answers to the same rows differ."""

    rows: int
    """Rows that were compared."""
    agreed: int
    """Rows of which every output is the same, or nearly so for numbers."""
    difference: float
    """Largest absolute difference of any two numbers; infinite where a shape differs."""


def compare(given: Sequence[RawTensor], shadow: Sequence[RawTensor]) -> Comparison:
    """Compare answers output by output; one that only one of them has agrees nowhere."""
    mine = {tensor.name: tensor for tensor in given}
    theirs = {tensor.name: tensor for tensor in shadow}
    rows = max((_rows(tensor) for tensor in given), default=0)
    if mine.keys() != theirs.keys():
        return Comparison(rows, 0, float("inf"))
    same = np.ones(rows, dtype=np.bool_)
    difference = 0.0
    for name, tensor in mine.items():
        other = theirs[name]
        if tensor.shape != other.shape or tensor.datatype != other.datatype:
            return Comparison(rows, 0, float("inf"))
        agree, apart = _compared(_array(tensor), _array(other))
        same &= agree.reshape(rows, -1).all(axis=1) if rows else same
        difference = max(difference, apart)
    return Comparison(rows, int(same.sum()), difference)


def _compared(mine: Array, theirs: Array) -> tuple[Mask, float]:
    """Return where they agree, and how far they are apart at most."""
    if not np.issubdtype(mine.dtype, np.number):
        return np.asarray(mine == theirs, dtype=np.bool_), 0.0
    wide, other = mine.astype(np.float64), theirs.astype(np.float64)
    apart = np.abs(wide - other)
    far = float(np.nanmax(apart)) if apart.size and not np.isnan(apart).all() else 0.0
    if not np.issubdtype(mine.dtype, np.floating):
        return np.asarray(mine == theirs, dtype=np.bool_), far
    agree = np.isclose(wide, other, rtol=_RELATIVE, atol=_ABSOLUTE, equal_nan=True)
    return np.asarray(agree, dtype=np.bool_), far


def _array(tensor: RawTensor) -> Array:
    return tensor_from_bytes(bytes(tensor.content), tensor.datatype, tensor.shape, tensor.name)


def _rows(tensor: RawTensor) -> int:
    return tensor.shape[0] if tensor.shape else 0
