"""Check how shards are cut into slices."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from flows.shards.types import InputFile, RowGroup, Shard
from flows.slices import Slice, SliceBounds, as_ranges, cut_slices, from_ranges

FILE = InputFile("a.parquet", "etag", 1, (RowGroup(1, 1),), {})
BOUNDS = SliceBounds(rows=100, bytes=1000, shards=4, slices=50)


def shard(index: int, rows: int = 10, size: int = 10) -> Shard:
    return Shard(index, FILE, 0, 1, 0, rows, size)


def shards_of(drawn: list[tuple[int, int, int]]) -> list[Shard]:
    """Number shards with gaps, where others are committed."""
    places = accumulate((gap for gap, _, _ in drawn), initial=-1)
    next(places)
    return [shard(index, rows, size) for index, (_, rows, size) in zip(places, drawn, strict=True)]


SHARDS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 250), st.integers(0, 2500)), max_size=60
).map(shards_of)


@given(
    SHARDS,
    st.builds(
        SliceBounds,
        rows=st.integers(1, 500),
        bytes=st.integers(1, 5000),
        shards=st.integers(1, 20),
        slices=st.integers(1, 30),
    ),
)
def test_every_shard_is_in_one_slice(shards: list[Shard], bounds: SliceBounds) -> None:
    """In the plan's order, none empty, numbered from 0, never more shards than allowed."""
    slices = cut_slices(shards, bounds)
    assert [index for each in slices for index in each.shards] == [each.index for each in shards]
    assert [each.number for each in slices] == list(range(len(slices)))
    assert all(1 <= len(each.shards) <= bounds.shards for each in slices)


@given(SHARDS, st.integers(1, 30))
def test_slices_are_about_as_large_as_each_other(shards: list[Shard], most: int) -> None:
    """Off by the largest shard at most, and as many as is allowed."""
    bounds = SliceBounds(rows=100, bytes=1000, shards=1000, slices=most)
    works = {each.index: max(each.rows / 100, each.bytes / 1000) for each in shards}
    slices = cut_slices(shards, bounds)
    assert len(slices) <= most
    for each in slices:
        total = sum(works[index] for index in each.shards)
        aim = max(1.0, sum(works.values()) / most)
        assert total <= aim + max(works.values()) + 1e-9


def test_a_small_job_is_one_slice() -> None:
    """Whatever the number of its shards, as far as they are allowed in one."""
    assert cut_slices([shard(k, rows=1) for k in range(4)], BOUNDS) == (Slice(0, (0, 1, 2, 3)),)
    assert cut_slices([], BOUNDS) == ()


def test_twenty_thousand_shards_are_two_hundred_slices() -> None:
    """Of a hundred each: that many runs, and no more, are made at Prefect's server."""
    bounds = SliceBounds(rows=20_000_000, bytes=5 * 2**30, shards=256, slices=200)
    full = [shard(k, rows=2_000_000) for k in range(20_000)]
    assert {len(each.shards) for each in cut_slices(full, bounds)} == {100}
    small = [shard(k, rows=1000) for k in range(20_000)]
    assert {len(each.shards) for each in cut_slices(small, bounds)} <= set(range(250, 257))


@given(st.sets(st.integers(0, 300)))
def test_ranges_are_read_back(indexes: set[int]) -> None:
    """Ascending, whatever they were."""
    assert from_ranges(as_ranges(indexes)) == tuple(sorted(indexes))


def test_ranges_are_short() -> None:
    """So that a run's parameters stay small."""
    assert as_ranges([7, 0, 1, 2, 9, 10]) == "0-2,7,9-10"
