"""The planner covers every row once, within its bounds, the same way every time."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from flows.shards.planner import plan
from flows.shards.types import InputFile, RowGroup, Shard

groups = st.builds(RowGroup, rows=st.integers(0, 50), bytes=st.integers(0, 500))
files = st.lists(st.lists(groups, max_size=12).map(tuple), max_size=6).map(
    lambda found: [
        InputFile(f"{index}.parquet", "etag", 1, row_groups, {})
        for index, row_groups in enumerate(found)
    ]
)
bounds = st.integers(1, 200)


def file_of(*rows: int) -> InputFile:
    """A file whose row groups hold `rows`, ten bytes a row."""
    return InputFile("f", "e", 1, tuple(RowGroup(count, count * 10) for count in rows), {})


def ranges(shards: tuple[Shard, ...]) -> list[tuple[int, int, int, int]]:
    """First and last group, first row and rows of each shard."""
    return [(s.group_start, s.group_stop, s.row_start, s.rows) for s in shards]


@given(files, bounds, bounds)
def test_every_row_once(found: list[InputFile], rows: int, size: int) -> None:
    """Shards of a file follow each other without gap or overlap, from its first row to its last."""
    for file in found:
        row = 0
        stop = 0
        for shard in plan(found, shard_rows=rows, shard_bytes=size):
            if shard.file is not file:
                continue
            assert shard.row_start == row
            assert shard.group_start >= stop
            inside = file.row_groups[shard.group_start : shard.group_stop]
            skipped = file.row_groups[stop : shard.group_start]
            assert sum(group.rows for group in skipped) == 0
            assert shard.rows == sum(group.rows for group in inside) > 0
            row, stop = row + shard.rows, shard.group_stop
        assert row == sum(group.rows for group in file.row_groups)


@given(files, bounds, bounds)
def test_bounds_hold(found: list[InputFile], rows: int, size: int) -> None:
    """Only a shard of a single row group with rows may exceed a bound."""
    for shard in plan(found, shard_rows=rows, shard_bytes=size):
        inside = shard.file.row_groups[shard.group_start : shard.group_stop]
        if sum(group.rows > 0 for group in inside) > 1:
            assert shard.rows <= rows
            assert shard.bytes <= size


@given(files, bounds, bounds)
def test_no_smaller_than_needed(found: list[InputFile], rows: int, size: int) -> None:
    """A shard ends only where its file ends or the next row group would break a bound."""
    shards = plan(found, shard_rows=rows, shard_bytes=size)
    for shard, after in pairwise(shards):
        if after.file is shard.file:
            group = after.file.row_groups[after.group_start]
            assert shard.rows + group.rows > rows or shard.bytes + group.bytes > size


@given(files, bounds, bounds)
def test_deterministic(found: list[InputFile], rows: int, size: int) -> None:
    """The same files and bounds give the same plan; indexes count from 0."""
    shards = plan(found, shard_rows=rows, shard_bytes=size)
    assert shards == plan(iter(found), shard_rows=rows, shard_bytes=size)
    assert [shard.index for shard in shards] == list(range(len(shards)))


def test_cuts_by_rows() -> None:
    """Row groups are gathered while they fit."""
    shards = plan([file_of(40, 40, 40, 10)], shard_rows=90, shard_bytes=10**6)
    assert ranges(shards) == [(0, 2, 0, 80), (2, 4, 80, 50)]


def test_cuts_by_bytes() -> None:
    """Wide rows make smaller shards."""
    shards = plan([file_of(40, 40, 40, 10)], shard_rows=10**6, shard_bytes=500)
    assert ranges(shards) == [(0, 1, 0, 40), (1, 2, 40, 40), (2, 4, 80, 50)]


def test_oversized_row_group_is_a_shard() -> None:
    """A row group is never split."""
    shards = plan([file_of(5, 500, 5)], shard_rows=100, shard_bytes=10**6)
    assert ranges(shards) == [(0, 1, 0, 5), (1, 2, 5, 500), (2, 3, 505, 5)]


def test_row_groups_without_rows() -> None:
    """They make no shard, at either end or in a file of nothing else."""
    shards = plan([file_of(0, 0, 3, 0, 4, 0), file_of(0), file_of()], shard_rows=9, shard_bytes=99)
    assert ranges(shards) == [(2, 5, 0, 7)]
