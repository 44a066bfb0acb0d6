"""Build a part in a scratch file, whole, before anything is published."""

import uuid
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from flows.shards.digests import DIGEST_KEY, digest_of_file
from flows.shards.object_store import ObjectStore
from flows.shards.settings import ShardSettings

SCRATCH_NAME = "nightshift-scratch"
"""Folder below the one that a person chose; it goes when no run builds in it."""


def scratch_folder(store: ObjectStore, settings: ShardSettings, fingerprint: str) -> Path:
    """Return the folder to build a job's parts in, made when it is not there.

    It is the store's own, for as long as the store is used. In a local output it is hidden and on
    the same file system, so that publishing a part is a link and copies nothing.
    """
    if settings.scratch_dir is None:
        return store.scratch_folder()
    return store.scratch_folder(settings.scratch_dir / SCRATCH_NAME)


class PartWriter:
    """One Parquet file that grows in a scratch folder.

    Writing straight to the output would publish a valid, truncated object when an exception ends
    it early. Not safe to use from two threads at once. `discard` may be called at any time.
    """

    def __init__(self, schema: pa.Schema, scratch_dir: Path, settings: ShardSettings) -> None:
        self._schema = schema
        self._settings = settings
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._waiting_bytes = 0
        self.rows = 0
        """Rows written so far."""
        self.path = scratch_dir / f"{uuid.uuid4().hex}.parquet"
        """The scratch file."""
        codec = settings.part_compression
        self._writer = pq.ParquetWriter(
            self.path,
            schema,
            compression=codec,
            compression_level=1 if codec == "zstd" else None,
            # Scores and keys repeat too rarely for a dictionary to pay for its hashing: unique
            # integers were written six times faster, and smaller, without one.
            use_dictionary=[field.name for field in schema if not _is_number(field.type)],
            write_page_checksum=True,
        )

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows; `batch` has the part's schema."""
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        self._waiting_bytes += batch.nbytes
        self.rows += batch.num_rows
        full = self._waiting_rows >= self._settings.part_row_group_rows
        if full or self._waiting_bytes >= self._settings.part_row_group_bytes:
            self._flush()

    def _flush(self) -> None:
        """Write what waits as one row group: one per microbatch would be slow to read."""
        if self._waiting_rows:
            table = pa.Table.from_batches(self._waiting, self._schema)
            self._writer.write_table(table, row_group_size=self._waiting_rows)
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0

    def finish(self, provenance: Mapping[str, str]) -> Path:
        """Close the file with `provenance` in its footer's metadata; returns its path.

        Beside it stands the digest of all that lies before the footer.
        """
        self._flush()
        # Row groups are written through to the file, so that only the footer is missing.
        digest = digest_of_file(self.path)
        self._writer.add_key_value_metadata({**provenance, DIGEST_KEY: digest})
        self._writer.close()
        return self.path

    def discard(self) -> None:
        """Remove the scratch file, finished or not; safe to repeat."""
        self._waiting = []
        self._writer.close()
        self.path.unlink(missing_ok=True)


def _is_number(arrow_type: pa.DataType) -> bool:
    return bool(pa.types.is_integer(arrow_type) or pa.types.is_floating(arrow_type))
