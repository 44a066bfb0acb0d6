"""Keep the rows that could not be scored, whole, with why."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from flows.shards.digests import digest_of_file
from flows.shards.errors import AmbiguousPut, StoreUnavailable
from flows.shards.object_store import ObjectStore
from flows.shards.part_writer import PartWriter
from flows.shards.reader import read_shard
from flows.shards.row_selection import take_batch
from flows.shards.settings import ShardSettings
from flows.shards.types import QuarantinedRow, Shard

QUARANTINE_PREFIX = "_quarantine/"
"""Where quarantine objects lie below the output's root."""
PUT_TRIES = 3
"""Puts of one quarantine object: its name is its attempt's own, so that repeating is harmless."""

_ORIGIN = (
    pa.field("_source_file", pa.string()),
    pa.field("_row_group", pa.int32()),
    pa.field("_row", pa.int64()),
    pa.field("_stage", pa.string()),
    pa.field("_reason", pa.string()),
    pa.field("_detail", pa.string()),
)


@dataclass(frozen=True, slots=True)
class QuarantineFile:
    """A quarantine object that was written and counts once a part names it."""

    key: str
    """Path below the output's root."""
    rows: int
    """Rows in it."""
    sha256: str
    """SHA-256 of it."""


def quarantine_key(part: str, write_id: str) -> str:
    """Name the quarantine object of one attempt at the part `part`."""
    return f"{QUARANTINE_PREFIX}{part.removesuffix('.parquet')}-{write_id}.parquet"


def write_quarantine(
    source: ObjectStore,
    output: ObjectStore,
    shard: Shard,
    rows: Sequence[QuarantinedRow],
    *,
    key: str,
    schema: pa.Schema,
    partition_schema: pa.Schema,
    scratch_dir: Path,
    settings: ShardSettings,
) -> QuarantineFile:
    """Write the rows named by `rows`, in file order, before their part is committed.

    The rows are read again from the input with every column of `schema`, so that they can be mended
    and scored later. Added are the partition columns, then `_source_file`, `_row_group`, `_row`
    (position in the file, from 0), `_stage`, `_reason`, `_detail`; one of these that the data has
    already gets another `_` in front. A row is written once, with the first of its reasons.

    Raises the errors of `read_shard` and of the output's store. Nothing is left in the scratch
    folder.
    """
    told = {row.row: row for row in reversed(rows)}
    origin = _origin_fields({*schema.names, *partition_schema.names})
    full = pa.schema([*schema, *partition_schema, *origin])
    writer = PartWriter(full, scratch_dir, settings)
    try:
        for batch in _rows_whole(source, shard, sorted(told), schema, settings):
            found = [told[row] for row in batch.rows]
            writer.write(_with_origin(batch, found, shard, full, partition_schema))
        path = writer.finish({})
        digest = digest_of_file(path)
        _put(output, key, path)
    finally:
        writer.discard()
    return QuarantineFile(key, writer.rows, digest)


@dataclass(frozen=True, slots=True)
class _Whole:
    """Source rows of one row group."""

    columns: pa.RecordBatch
    """All columns of the file."""
    rows: Sequence[int]
    """Position of each row in the file."""
    group: int
    """The row group."""


def _rows_whole(
    source: ObjectStore,
    shard: Shard,
    rows: Sequence[int],
    schema: pa.Schema,
    settings: ShardSettings,
) -> Iterator[_Whole]:
    """Read the wanted rows again, touching only the row groups that hold one."""
    for group, (start, wanted) in _by_group(shard, rows).items():
        batches = read_shard(
            source,
            shard,
            schema.names,
            batch_rows=settings.read_rows,
            groups=range(group, group + 1),
        )
        for batch in batches:
            stop = start + batch.num_rows
            here = [row for row in wanted if start <= row < stop]
            if here:
                taken = take_batch(batch, np.array(here, np.int64) - start)
                yield _Whole(taken, here, group)
            start = stop


def _by_group(shard: Shard, rows: Sequence[int]) -> dict[int, tuple[int, list[int]]]:
    """Give for each row group with a wanted row its first row's position, with those rows."""
    wanted: dict[int, list[int]] = defaultdict(list)
    starts: dict[int, int] = {}
    position = shard.row_start
    remaining = iter(rows)
    row = next(remaining, None)
    for group in range(shard.group_start, shard.group_stop):
        starts[group] = position
        position += shard.file.row_groups[group].rows
        while row is not None and row < position:
            wanted[group].append(row)
            row = next(remaining, None)
    return {group: (starts[group], found) for group, found in wanted.items()}


def _with_origin(
    batch: _Whole,
    told: Sequence[QuarantinedRow],
    shard: Shard,
    full: pa.Schema,
    partition_schema: pa.Schema,
) -> pa.RecordBatch:
    count = len(batch.rows)
    partitions = [
        pa.repeat(pa.scalar(shard.file.partitions[field.name], field.type), count)
        for field in partition_schema
    ]
    origin = [
        pa.repeat(pa.scalar(shard.file.key, pa.string()), count),
        pa.repeat(pa.scalar(batch.group, pa.int32()), count),
        pa.array(batch.rows, pa.int64()),
        pa.array([row.stage for row in told], pa.string()),
        pa.array([row.reason for row in told], pa.string()),
        pa.array([row.detail for row in told], pa.string()),
    ]
    columns = [*batch.columns.columns, *partitions, *origin]
    return pa.RecordBatch.from_arrays(columns, schema=full)


def _origin_fields(taken: set[str]) -> list[pa.Field]:
    fields = []
    for field in _ORIGIN:
        name = field.name
        while name in taken:
            name = f"_{name}"
        fields.append(field.with_name(name))
    return fields


def _put(output: ObjectStore, key: str, path: Path) -> None:
    """Put under a name that only this attempt uses: taken means that an earlier try arrived."""
    for last in (False,) * (PUT_TRIES - 1) + (True,):
        try:
            output.put_if_absent(key, path)
        except AmbiguousPut:
            if last:
                raise
            continue
        if output.stat(key) is not None:
            return
    raise StoreUnavailable(f"{output.uri}/{key}", "it was put and is not there")
