"""Compare what a shadow version answered with what the caller was given."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inference.errors import ContractViolation
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
    differs: str = ""
    """Why the answers cannot be compared, where they have another form; else empty."""


def compare(given: Sequence[RawTensor], shadow: Sequence[RawTensor]) -> Comparison:
    """Compare answers output by output; never raises, whatever servers say.

    Where the outputs do not share a first dimension the answer is compared as one row. Answers
    that differ in their outputs, or in an output's shape or datatype, agree nowhere.
    """
    mine = {tensor.name: tensor for tensor in given}
    theirs = {tensor.name: tensor for tensor in shadow}
    rows = _rows(given)
    if differs := _unlike(mine, theirs):
        return Comparison(rows, 0, math.inf, differs)
    same = np.ones(rows, dtype=np.bool_)
    difference = 0.0
    for name, tensor in mine.items():
        try:
            agree, apart = _compared(_array(tensor), _array(theirs[name]))
        except (ContractViolation, ValueError) as error:
            return Comparison(rows, 0, math.inf, str(error))
        same &= agree.reshape(rows, -1).all(axis=1) if rows else same
        difference = max(difference, apart)
    return Comparison(rows, int(same.sum()), difference)


def _unlike(mine: Mapping[str, RawTensor], theirs: Mapping[str, RawTensor]) -> str:
    """Say why there is nothing to compare; empty where there is."""
    if mine.keys() != theirs.keys():
        names, others = (", ".join(sorted(each)) or "none" for each in (mine, theirs))
        return f"the outputs are {names}, those of the shadow {others}"
    for name, tensor in mine.items():
        other = theirs[name]
        if tensor.shape != other.shape:
            shapes = f"{list(tensor.shape)}, then {list(other.shape)}"
            return f"output {name!r} differs in shape: {shapes} of the shadow"
        if tensor.datatype != other.datatype:
            return (
                f"output {name!r} differs in datatype: {tensor.datatype}, then {other.datatype} of "
                "the shadow"
            )
    return ""


def _compared(mine: Array, theirs: Array) -> tuple[Mask, float]:
    """Return where they agree, and how far they are apart at most."""
    if not np.issubdtype(mine.dtype, np.number):
        return np.asarray(mine == theirs, dtype=np.bool_), 0.0
    wide, other = mine.astype(np.float64), theirs.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):  # infinities, which may well agree
        apart = np.abs(wide - other)
    far = float(np.nanmax(apart)) if apart.size and not np.isnan(apart).all() else 0.0
    if not np.issubdtype(mine.dtype, np.floating):
        return np.asarray(mine == theirs, dtype=np.bool_), far
    agree = np.isclose(wide, other, rtol=_RELATIVE, atol=_ABSOLUTE, equal_nan=True)
    return np.asarray(agree, dtype=np.bool_), far


def _array(tensor: RawTensor) -> Array:
    return tensor_from_bytes(bytes(tensor.content), tensor.datatype, tensor.shape, tensor.name)


def _rows(tensors: Sequence[RawTensor]) -> int:
    """Return the first dimension that all share; 1 where they do not, so that all is one row."""
    firsts = {tensor.shape[:1] for tensor in tensors}
    if not firsts:
        return 0
    (first, *others) = firsts
    return 1 if others or not first else first[0]
