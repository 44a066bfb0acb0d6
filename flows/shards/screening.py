"""Find the rows of a column that cannot become a tensor's."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flows.shards import values
from flows.shards.column_types import in_words, unwrap
from flows.shards.layout import Source
from flows.shards.row_selection import filter_rows


class Fault(NamedTuple):
    """Rows that cannot be encoded for the same kind of reason."""

    rows: np.ndarray
    """int64[k], ascending positions in the column."""
    say: Callable[[int], tuple[str, str]]
    """Gives reason and detail of the k-th of them."""


def find_faults(array: pa.Array, source: Source) -> Iterator[Fault]:
    """Yield the rows that hold nulls, lists of the wrong length or values that do not convert.

    `source.levels` holds no -1 here. The first fault of a row is the one that counts. Costs
    nothing per row when there are no nulls, the lists are of fixed size and the cast is exact.
    """
    return _find(array, source.levels, source)


def leaves(array: pa.Array, depth: int) -> pa.Array:
    """Return the values of a column of nested lists, row after row.

    Needs a column without nulls; a view where the lists are of fixed size or plain lists.
    """
    for _ in range(depth):
        array = unwrap(array).flatten()
    return unwrap(array)


def _find(array: pa.Array, levels: tuple[int, ...], source: Source) -> Iterator[Fault]:
    """Strip one kind of fault, then look at what is left: nulls, lengths, lists inside, values."""
    array = unwrap(array)
    if array.null_count:
        valid = array.is_valid().to_numpy(zero_copy_only=False)
        yield Fault(np.flatnonzero(~valid), lambda _: (f"null in {source.column}", ""))
        if levels or not source.cast.is_total:
            yield from _within(array, valid, levels, source)
        return
    if not levels:
        yield from _value_faults(array, source)
        return
    wrong = _wrong_lengths(array, levels[0])
    if wrong is not None:
        lengths, fits = wrong
        rows = np.flatnonzero(~fits)
        yield Fault(rows, _say_length(lengths[rows], levels[0], source.column))
        yield from _within(array, fits, levels, source)
        return
    for fault in _find(array.flatten(), levels[1:], source):
        yield _by_row(fault, levels[0])


def _within(
    array: pa.Array, kept: np.ndarray, levels: tuple[int, ...], source: Source
) -> Iterator[Fault]:
    """Find the faults among the kept rows, told by their positions in the whole column."""
    positions = np.flatnonzero(kept)
    for fault in _find(filter_rows(array, kept), levels, source):
        yield Fault(positions[fault.rows], fault.say)


def _by_row(fault: Fault, length: int) -> Fault:
    """Tell the first fault of each list of `length` values as its row's."""
    rows, first = np.unique(fault.rows // length, return_index=True)
    return Fault(rows, lambda k: fault.say(int(first[k])))


def _wrong_lengths(array: pa.Array, length: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return all lengths with the mask of the right ones; None when every list is right."""
    if pa.types.is_fixed_size_list(array.type):
        return None
    lengths = pc.list_value_length(array).to_numpy()
    fits = lengths == length
    return None if length > 0 and fits.all() else (lengths, fits & (length > 0))


def _say_length(lengths: np.ndarray, expected: int, name: str) -> Callable[[int], tuple[str, str]]:
    wanted = str(expected) if expected > 0 else "at least 1"
    return lambda k: (f"list of {lengths[k]} values in {name}, {wanted} expected", "")


def _value_faults(array: pa.Array, source: Source) -> Iterator[Fault]:
    marked = values.faults(array, source.cast)
    if marked is None:
        return
    rows = np.flatnonzero(marked)
    if not len(rows):
        return
    reason = f"{values.fault_reason(source.cast)} in {source.column}"
    yield Fault(rows, lambda k: (reason, _shown(array[int(rows[k])])))


def _shown(value: pa.Scalar) -> str:
    """The value as a person would write it, at most 80 characters."""
    text = in_words(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
