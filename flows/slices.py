"""Cut the shards that are left of a job into slices, one for each flow run on a worker."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil

from flows.shards.types import Shard


@dataclass(frozen=True, slots=True)
class SliceBounds:
    """How large a slice may be."""

    rows: int
    """Rows that a slice aims at."""
    bytes: int
    """Uncompressed bytes that it aims at, for wide rows."""
    shards: int
    """Most shards of a slice."""
    slices: int
    """Most slices of a job, unless `shards` makes more; each is then larger than aimed at."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The shards that one flow run scores."""

    number: int
    """Position in the job, from 0."""
    shards: tuple[int, ...]
    """Positions in the plan, ascending; at least one."""


def cut_slices(left: Sequence[Shard], bounds: SliceBounds) -> tuple[Slice, ...]:
    """Cut `left`, in its order, into slices of about the same work.

    Each shard is in exactly one slice. The work of a shard is its rows or its bytes, whichever is
    the larger part of what a slice aims at. A shard belongs to the slice in which its middle lies,
    so that no slice is more than one shard off, and the last is no remnant. Pure: the same shards
    and bounds give the same slices.
    """
    works = [max(shard.rows / bounds.rows, shard.bytes / bounds.bytes) for shard in left]
    count = min(ceil(sum(works)), bounds.slices)
    each = sum(works) / count if count else 1.0
    places, before = [], 0.0
    for work in works:
        places.append(int((before + work / 2) / each))
        before += work
    slices: list[Slice] = []
    for _, members in groupby(zip(places, left, strict=True), key=lambda pair: pair[0]):
        indexes = [shard.index for _, shard in members]
        for piece in _evenly(indexes, bounds.shards):
            slices.append(Slice(len(slices), tuple(piece)))
    return tuple(slices)


def _evenly(indexes: Sequence[int], most: int) -> Iterable[Sequence[int]]:
    """Cut into as few pieces of at most `most` as it takes, of nearly the same length."""
    pieces = ceil(len(indexes) / most)
    for piece in range(pieces):
        start, stop = (len(indexes) * k // pieces for k in (piece, piece + 1))
        yield indexes[start:stop]


def as_ranges(indexes: Iterable[int]) -> str:
    """Write shards shortly: `0-99,120`; the order is not kept."""
    ranges: list[tuple[int, int]] = []
    for index in sorted(set(indexes)):
        if ranges and ranges[-1][1] == index - 1:
            ranges[-1] = (ranges[-1][0], index)
        else:
            ranges.append((index, index))
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)


def from_ranges(text: str) -> tuple[int, ...]:
    """Read what `as_ranges` wrote, ascending."""
    indexes: list[int] = []
    for piece in filter(None, text.split(",")):
        first, _, last = piece.partition("-")
        indexes.extend(range(int(first), int(last or first) + 1))
    return tuple(indexes)
