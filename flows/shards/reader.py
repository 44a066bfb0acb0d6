"""Stream the rows of a shard from its file."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from flows.shards.errors import CorruptFooter, CorruptPage, InputChanged, StoreUnavailable
from flows.shards.object_store import ObjectStore
from flows.shards.row_bytes import decoded_bytes, row_width
from flows.shards.types import Shard

STREAM_BYTES = 2**20
"""Bytes of a column that are fetched at a time from a local file: a row group of any size is
streamed, and a megabyte hides the cost of a read."""
BATCH_BYTES = 8 * 2**20
"""Bytes of decoded rows after which a record batch ends although it has fewer rows than it may."""

_FIRST_ROWS = 16
"""Rows of the first step where a row's size is not known."""
_FEWEST_ROWS = 4
"""Rows of a step however large they are."""
_MOST_ROWS = 2048
"""Rows of a step where the size of rows varies: texts of 48 KiB that follow short ones take 96 MiB
once. Two million rows with a text took 0.23 s of the processor in steps of 1,024, 0.16 s in these
and 0.12 s in one go."""
_GROWTH = 4
"""Times that a step may have the rows of the one before."""


def read_shard(
    store: ObjectStore,
    shard: Shard,
    columns: Sequence[str],
    *,
    batch_rows: int,
    batch_bytes: int = BATCH_BYTES,
    groups: range | None = None,
) -> Generator[pa.RecordBatch, None, None]:
    """Yield the shard's rows in file order, `columns` in the order given.

    No record batch crosses a row group, none has more than `batch_rows` rows or none at all, and
    none grows once it has `batch_bytes` bytes. `groups` narrows the reading to some of the shard's
    row groups. Partition columns are not added. Memory is a batch or two, with one row group's
    compressed columns on S3, fetched together, and about a megabyte a column on local disks.

    Raises `InputChanged` when the file is no longer the planned one, at the start, at a later
    read, or by the end; `CorruptPage` naming file and row group; `CorruptFooter`.
    """
    key, etag = shard.file.key, shard.file.etag
    source = store.open(key, etag)
    with closing(source):
        parquet = _open_parquet(source, key)
        steps = _Steps(parquet.schema_arrow, columns, batch_rows, batch_bytes)
        for group in groups or range(shard.group_start, shard.group_stop):
            yield from _read_group(parquet, shard, group, columns, steps)
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


class _Steps:
    """How many rows to decode at a time.

    A file does not tell how large its rows become: a text that is repeated is stored once. So
    where their size varies, a step learns from the one before.
    """

    def __init__(
        self, schema: pa.Schema, columns: Sequence[str], batch_rows: int, batch_bytes: int
    ) -> None:
        width = row_width(pa.schema([schema.field(name) for name in columns]))
        self.batch_rows = batch_rows if width is None else _at_most(batch_rows, batch_bytes, width)
        self.batch_bytes = batch_bytes
        self._learns = width is None
        self._rows = min(self.batch_rows, _FIRST_ROWS) if self._learns else self.batch_rows

    def next(self, rows: int) -> int:
        """Return the rows of the next step of a batch that has `rows` rows already."""
        return min(self._rows, self.batch_rows - rows)

    def learn(self, rows: int, size: int) -> None:
        """Take notice of a step of `rows` rows that take `size` bytes."""
        if self._learns:
            fitting = max(_FEWEST_ROWS, _at_most(_MOST_ROWS, self.batch_bytes, size // rows))
            self._rows = min(fitting, max(_FIRST_ROWS, rows * _GROWTH))


def _at_most(rows: int, size: int, row: int) -> int:
    """Return the rows of `row` bytes that `size` bytes hold, at least one and at most `rows`."""
    return max(1, min(rows, size // max(1, row)))


def _read_group(
    parquet: pq.ParquetFile, shard: Shard, group: int, columns: Sequence[str], steps: _Steps
) -> Iterator[pa.RecordBatch]:
    key = shard.file.key
    rows = 0
    try:
        for batch in _batches(parquet, group, columns, steps):
            rows += batch.num_rows
            yield batch.select(columns)
    except (pa.ArrowException, OSError) as error:
        raise _as_store_error(error, key) or CorruptPage(key, group, str(error)) from error
    expected = shard.file.row_groups[group].rows
    if rows != expected:
        raise CorruptPage(key, group, f"it holds {rows} rows where its footer says {expected}")


def _batches(
    parquet: pq.ParquetFile, group: int, columns: Sequence[str], steps: _Steps
) -> Iterator[pa.RecordBatch]:
    """Decode a row group step by step, and join the steps to batches."""
    found: list[pa.RecordBatch] = []
    rows = size = 0
    decoded = parquet.iter_batches(
        steps.next(0), row_groups=[group], columns=list(columns), use_threads=False
    )
    for step in decoded:
        if step.num_rows == 0:
            continue
        found.append(step)
        rows += step.num_rows
        size += (taken := decoded_bytes(step))
        steps.learn(step.num_rows, taken)
        if rows >= steps.batch_rows or size >= steps.batch_bytes:
            yield _joined(found)
            found, rows, size = [], 0, 0
        # The rows of the step that the iterator decodes next.
        parquet.reader.set_batch_size(steps.next(rows))
    if found:
        yield _joined(found)


def _joined(found: list[pa.RecordBatch]) -> pa.RecordBatch:
    return found[0] if len(found) == 1 else pa.concat_batches(found)


def _as_store_error(error: Exception, key: str) -> StoreUnavailable | None:
    """Tell a failed read from a failed decoding: only the former carries an error number."""
    if isinstance(error, OSError) and error.errno is not None:
        return StoreUnavailable(key, str(error))
    return None
