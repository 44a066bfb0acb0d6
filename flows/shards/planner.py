"""Cut a dataset into shards along its row groups."""

from collections.abc import Iterable, Iterator

from flows.shards.types import InputFile, Shard


def plan(files: Iterable[InputFile], *, shard_rows: int, shard_bytes: int) -> tuple[Shard, ...]:
    """Cut `files`, in their order, into shards of at most `shard_rows` rows and `shard_bytes`.

    A row group is never split, so one that is larger than a bound is a shard by itself. Every row
    is in exactly one shard. Row groups without rows belong to the shard around them, or to none.
    Pure: the same files and bounds give the same plan, in any process, on any day.
    """
    shards: list[Shard] = []
    for file in files:
        for start, stop, row_start in _ranges(file, shard_rows, shard_bytes):
            groups = file.row_groups[start:stop]
            shards.append(
                Shard(
                    index=len(shards),
                    file=file,
                    group_start=start,
                    group_stop=stop,
                    row_start=row_start,
                    rows=sum(group.rows for group in groups),
                    bytes=sum(group.bytes for group in groups if group.rows),
                )
            )
    return tuple(shards)


def _ranges(file: InputFile, max_rows: int, max_bytes: int) -> Iterator[tuple[int, int, int]]:
    """Yield (first group, first group not included, first row) of each shard of one file."""
    start = stop = row_start = position = rows = size = 0
    for index, group in enumerate(file.row_groups):
        if group.rows == 0:
            continue
        if rows and (rows + group.rows > max_rows or size + group.bytes > max_bytes):
            yield start, stop, row_start
            rows = 0
        if not rows:
            start, row_start, size = index, position, 0
        stop = index + 1
        rows += group.rows
        size += group.bytes
        position += group.rows
    if rows:
        yield start, stop, row_start
