"""Stream the rows of a shard from its file."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from flows.shards.errors import CorruptFooter, CorruptPage, InputChanged, StoreUnavailable
from flows.shards.object_store import ObjectStore
from flows.shards.types import Shard

STREAM_BYTES = 2**20
"""Bytes of a column that are fetched at a time from a local file: a row group of any size is
streamed, and a megabyte hides the cost of a read."""


def read_shard(
    store: ObjectStore,
    shard: Shard,
    columns: Sequence[str],
    *,
    batch_rows: int,
    groups: range | None = None,
) -> Generator[pa.RecordBatch, None, None]:
    """Yield the shard's rows in file order, `columns` in the order given.

    No record batch crosses a row group, none has more than `batch_rows` rows or none at all.
    `groups` narrows the reading to some of the shard's row groups. Partition columns are not
    added. Memory is one row group's compressed columns on S3, fetched together, and about a
    megabyte a column on local disks.

    Raises `InputChanged` when the file is no longer the planned one, at the start, at a later
    read, or by the end; `CorruptPage` naming file and row group; `CorruptFooter`.
    """
    key, etag = shard.file.key, shard.file.etag
    source = store.open(key, etag)
    with closing(source):
        parquet = _open_parquet(source, key)
        for group in groups or range(shard.group_start, shard.group_stop):
            yield from _read_group(parquet, shard, group, columns, batch_rows)
    now = store.stat(key)
    if now is None or now.etag != etag:
        raise InputChanged(key, planned=etag, found=now.etag if now else None)


def _open_parquet(source: Any, key: str) -> pq.ParquetFile:
    local = isinstance(source, pa.NativeFile)
    try:
        return pq.ParquetFile(
            source,
            pre_buffer=not local,
            buffer_size=STREAM_BYTES if local else 0,
            page_checksum_verification=True,
        )
    except (pa.ArrowException, OSError) as error:
        raise _as_store_error(error, key) or CorruptFooter(key, str(error)) from error


def _read_group(
    parquet: pq.ParquetFile, shard: Shard, group: int, columns: Sequence[str], batch_rows: int
) -> Iterator[pa.RecordBatch]:
    key = shard.file.key
    rows = 0
    batches = parquet.iter_batches(
        batch_rows, row_groups=[group], columns=list(columns), use_threads=False
    )
    try:
        for batch in batches:
            rows += batch.num_rows
            if batch.num_rows:
                yield batch.select(columns)
    except (pa.ArrowException, OSError) as error:
        raise _as_store_error(error, key) or CorruptPage(key, group, str(error)) from error
    expected = shard.file.row_groups[group].rows
    if rows != expected:
        raise CorruptPage(key, group, f"it holds {rows} rows where its footer says {expected}")


def _as_store_error(error: Exception, key: str) -> StoreUnavailable | None:
    """Tell a failed read from a failed decoding: only the former carries an error number."""
    if isinstance(error, OSError) and error.errno is not None:
        return StoreUnavailable(key, str(error))
    return None
