"""A part grows in a scratch file and is whole or not there."""

import os
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.shards.object_store import open_store
from flows.shards.part_writer import SCRATCH_NAME, PartWriter, scratch_folder
from flows.shards.settings import S3Settings, ShardSettings
from tests.contracts.memory_object_store import MemoryObjectStore

SCHEMA = pa.schema([("id", pa.int64()), ("score", pa.float32()), ("text", pa.string())])


def rows(start: int, count: int) -> pa.RecordBatch:
    """Some rows of the part."""
    ids = range(start, start + count)
    return pa.record_batch(
        [
            pa.array(ids, pa.int64()),
            pa.array([i / 2 for i in ids], pa.float32()),
            pa.array([str(i) for i in ids], pa.string()),
        ],
        schema=SCHEMA,
    )


@pytest.mark.parametrize("codec", ["zstd", "snappy", "lz4", "none"])
def test_rows_and_footer(tmp_path: Path, codec: Literal["zstd", "snappy", "lz4", "none"]) -> None:
    """Rows come back in order, with the metadata beside them, for every codec."""
    writer = PartWriter(SCHEMA, tmp_path, ShardSettings(part_compression=codec))
    for start in range(0, 100, 10):
        writer.write(rows(start, 10))
    path = writer.finish({"who": "me"})
    assert pq.read_table(path)["id"].to_pylist() == list(range(100))
    assert pq.read_metadata(path).metadata[b"who"] == b"me"
    assert writer.rows == 100


def test_row_groups_gather_microbatches(tmp_path: Path) -> None:
    """Microbatches become row groups of about the size that readers like."""
    writer = PartWriter(SCHEMA, tmp_path, ShardSettings(part_row_group_rows=25))
    for start in range(0, 100, 10):
        writer.write(rows(start, 10))
    metadata = pq.read_metadata(writer.finish({}))
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [
        30,
        30,
        30,
        10,
    ]


def test_row_groups_are_bounded_in_bytes(tmp_path: Path) -> None:
    """Wide rows do not wait in memory."""
    settings = ShardSettings(part_row_group_bytes=100)
    writer = PartWriter(SCHEMA, tmp_path, settings)
    for start in range(0, 30, 10):
        writer.write(rows(start, 10))
    assert pq.read_metadata(writer.finish({})).num_row_groups == 3


def test_part_without_rows(tmp_path: Path) -> None:
    """A shard whose rows all failed has a part that says so."""
    writer = PartWriter(SCHEMA, tmp_path, ShardSettings())
    writer.write(rows(0, 0))
    table = pq.read_table(writer.finish({}))
    assert (table.num_rows, table.schema.names) == (0, SCHEMA.names)


@pytest.mark.parametrize("finished", [True, False])
def test_discard_leaves_nothing(tmp_path: Path, finished: bool) -> None:
    """A part that is given up leaves no file, finished or not, as often as it is said."""
    writer = PartWriter(SCHEMA, tmp_path, ShardSettings())
    writer.write(rows(0, 5))
    if finished:
        writer.finish({})
    writer.discard()
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_discard_after_a_failed_write(tmp_path: Path) -> None:
    """Rows of another schema are refused, and what was written goes."""
    writer = PartWriter(SCHEMA, tmp_path, ShardSettings(part_row_group_rows=1))
    with pytest.raises(pa.ArrowInvalid):
        writer.write(pa.record_batch({"other": [1]}))
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_scratch_folder_lies_in_a_local_output(tmp_path: Path) -> None:
    """On the same file system, so that publishing is a link, unless set otherwise."""
    store = open_store(str(tmp_path / "out"), S3Settings())
    assert scratch_folder(store, ShardSettings(), "f" * 64) == store.scratch_folder()
    assert tmp_path / "out" in scratch_folder(store, ShardSettings(), "f" * 64).parents
    elsewhere = ShardSettings(scratch_dir=tmp_path / "fast")
    assert scratch_folder(store, elsewhere, "f" * 64).parent == tmp_path / "fast" / SCRATCH_NAME


def test_scratch_folder_of_a_remote_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own in the system's temporary folder; gone when the job has published."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = MemoryObjectStore()
    folder = scratch_folder(store, ShardSettings(), "e" * 64)
    assert folder.parent == tmp_path / f"nightshift-{os.getuid()}"
    assert folder.is_dir()
    store.clear_scratch()
    assert list(tmp_path.iterdir()) == []
