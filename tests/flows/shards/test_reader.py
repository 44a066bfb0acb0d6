"""A shard's rows come in order, whole, from the file that was planned, within bounded memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.shards.dataset import Dataset
from flows.shards.errors import CorruptFooter, CorruptPage, InputChanged, StoreUnavailable
from flows.shards.object_store import open_store
from flows.shards.object_store_ranges import RangeFile
from flows.shards.planner import plan
from flows.shards.reader import read_shard
from flows.shards.types import Shard
from tests.contracts.memory_object_store import MemoryObjectStore
from tests.contracts.test_object_store import s3_settings
from tests.flows.shards.jobs import dataset_at
from tests.flows.shards.test_dataset import copy_to
from tests.servers.s3 import S3Endpoint


def shards_of(dataset: Dataset, *, rows: int = 100) -> tuple[Shard, ...]:
    """Plan a dataset."""
    return plan(dataset.input_files(dataset.schema.names), shard_rows=rows, shard_bytes=2**40)


def read(dataset: Dataset, shard: Shard, *columns: str, batch_rows: int = 32) -> pa.Table:
    """Every row of a shard."""
    batches = read_shard(dataset.store, shard, columns, batch_rows=batch_rows)
    return pa.Table.from_batches(list(batches))


def test_rows_of_every_shard_in_order(dataset: Dataset) -> None:
    """The shards together are the dataset."""
    found = [
        value
        for shard in shards_of(dataset)
        for value in read(dataset, shard, "id")["id"].to_pylist()
    ]
    assert found == list(range(250))


def test_columns_in_the_order_asked_for(dataset: Dataset) -> None:
    """Only those columns, in that order, whatever the file's."""
    shard = shards_of(dataset)[0]
    assert read(dataset, shard, "tail", "id").schema == pa.schema(
        [("tail", pa.string()), ("id", pa.int64())]
    )


def test_batches_stay_in_their_row_group(dataset: Dataset) -> None:
    """None crosses a row group, is longer than asked for, or is empty."""
    shard = shards_of(dataset)[0]
    batches = read_shard(dataset.store, shard, ["id"], batch_rows=32)
    assert [batch.num_rows for batch in batches] == [32, 18, 32, 18]


def test_some_row_groups(dataset: Dataset) -> None:
    """Reading may be narrowed to row groups of the shard."""
    shard = shards_of(dataset)[0]
    batches = read_shard(dataset.store, shard, ["id"], batch_rows=99, groups=range(1, 2))
    assert [batch["id"][0].as_py() for batch in batches] == [50]


def test_row_group_without_rows(tmp_path: Path) -> None:
    """A row group of no rows between others gives nothing and is no error."""
    schema = pa.schema([("id", pa.int64())])
    with pq.ParquetWriter(tmp_path / "a.parquet", schema) as writer:
        for ids in ([1, 2], [], [3]):
            writer.write_table(pa.table({"id": ids}, schema=schema))
    found = dataset_at(tmp_path)
    assert [group.rows for group in found.input_files(["id"])[0].row_groups] == [2, 0, 1]
    (shard,) = shards_of(found)
    assert read(found, shard, "id")["id"].to_pylist() == [1, 2, 3]


def test_changed_before(lake: Path, dataset: Dataset) -> None:
    """A file that was written again since the plan is refused."""
    shard = shards_of(dataset)[0]
    (lake / shard.file.key).write_bytes((lake / "month=3/a.parquet").read_bytes())
    with pytest.raises(InputChanged, match=r"month=1/a\.parquet was .* and is now"):
        read(dataset, shard, "id")


def test_changed_meanwhile(lake: Path, dataset: Dataset) -> None:
    """A file that was replaced while it was read is found out at the end."""
    shard = shards_of(dataset)[0]
    batches = read_shard(dataset.store, shard, ["id"], batch_rows=32)
    next(batches)
    (lake / shard.file.key).unlink()
    with pytest.raises(InputChanged, match="is gone"):
        list(batches)


def test_changed_meanwhile_in_s3(lake: Path, s3_endpoint: S3Endpoint) -> None:
    """Every range is asked for with the planned ETag: not one byte of another content is read."""
    store = open_store(f"{s3_endpoint.uri}/lake", s3_settings(s3_endpoint))
    copy_to(store, lake)
    info = store.stat("month=1/a.parquet")
    assert info is not None
    with store.open(info.key, info.etag) as source:
        assert source.read(4) == b"PAR1"
        store.replace(info.key, b"PAR1" * 1000, if_etag=None)
        with pytest.raises(InputChanged, match="is now"):
            source.read(4)
        store.delete(info.key)
        with pytest.raises(InputChanged, match="is gone"):
            source.read(4)


def test_shard_from_s3(lake: Path, s3_endpoint: S3Endpoint) -> None:
    """The same rows from S3 as from the disk."""
    from flows.shards.dataset import list_dataset
    from tests.flows.shards.jobs import SETTINGS

    store = open_store(f"{s3_endpoint.uri}/lake", s3_settings(s3_endpoint))
    copy_to(store, lake)
    found = list_dataset(store, settings=SETTINGS)
    local = dataset_at(lake)
    for here, there in zip(shards_of(found), shards_of(local), strict=True):
        columns = local.schema.names
        assert read(found, here, *columns) == read(local, there, *columns)


def corrupt(path: Path, row_group: int) -> None:
    """Overwrite the middle of a row group's first column."""
    column = pq.read_metadata(path).row_group(row_group).column(0)
    start = column.dictionary_page_offset or column.data_page_offset
    data = bytearray(path.read_bytes())
    middle = start + column.total_compressed_size // 2
    data[middle : middle + 32] = bytes(255 - byte for byte in data[middle : middle + 32])
    path.write_bytes(data)


def test_corrupt_page_in_the_middle(lake: Path) -> None:
    """The rows before it come; then file and row group are named in one line."""
    corrupt(lake / "month=1/a.parquet", 1)
    found = dataset_at(lake)
    batches = read_shard(found.store, shards_of(found)[0], ["id"], batch_rows=50)
    assert next(batches).num_rows == 50
    with pytest.raises(CorruptPage) as caught:
        list(batches)
    assert str(caught.value).startswith("corrupt page: month=1/a.parquet, row group 1 (")
    assert "\n" not in str(caught.value)
    assert (caught.value.key, caught.value.row_group) == ("month=1/a.parquet", 1)


def test_corrupt_checksum(tmp_path: Path) -> None:
    """A page whose bytes decode but do not match their checksum is corrupt."""
    table = pa.table({"id": pa.array(np.arange(1000))})
    options = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
    pq.write_table(table, tmp_path / "a.parquet", **options)
    corrupt(tmp_path / "a.parquet", 0)
    found = dataset_at(tmp_path)
    with pytest.raises(CorruptPage, match=r"a\.parquet, row group 0"):
        read(found, shards_of(found)[0], "id")


def test_fewer_rows_than_the_footer_says(dataset: Dataset) -> None:
    """Rows that are missing without an error are an error."""
    from dataclasses import replace

    from flows.shards.types import RowGroup

    shard = shards_of(dataset)[0]
    longer = replace(shard.file, row_groups=(RowGroup(51, 1), *shard.file.row_groups[1:]))
    with pytest.raises(CorruptPage, match="it holds 50 rows where its footer says 51"):
        read(dataset, replace(shard, file=longer), "id")


class FailingStore(MemoryObjectStore):
    """A store whose open files fail after some reads, as a disk or a network does."""

    reads = 0

    def open(self, key: str, etag: str | None = None) -> RangeFile:  # type: ignore[override]  # its twin's BytesIO
        data = super().open(key, etag).read()

        def read_range(start: int, stop: int) -> bytes:
            self.reads -= 1
            if self.reads < 0:
                raise OSError(5, "Input/output error")
            return data[start:stop]

        return RangeFile(read_range, len(data))


@pytest.mark.parametrize("reads", [0, 1, 2])
def test_failed_read_is_no_corruption(lake: Path, reads: int) -> None:
    """A store that fails to read, at the footer or in the middle, may be tried again."""
    from flows.shards.dataset import list_dataset
    from tests.flows.shards.jobs import SETTINGS

    store = FailingStore()
    copy_to(store, lake)
    found = list_dataset(store, settings=SETTINGS)
    store.reads = reads
    with pytest.raises(StoreUnavailable, match="Input/output error"):
        read(found, shards_of(found)[0], "id", "tail")


def test_unreadable_footer_at_the_second_look(lake: Path, dataset: Dataset) -> None:
    """A footer that broke without the file's identity changing is named."""
    store = MemoryObjectStore()
    store.put_if_absent("month=1/a.parquet", b"PAR1 and then nothing like it")
    info = store.stat("month=1/a.parquet")
    assert info is not None
    from dataclasses import replace

    shard = shards_of(dataset)[0]
    pinned = replace(shard, file=replace(shard.file, etag=info.etag))
    with pytest.raises(CorruptFooter, match=r"month=1/a\.parquet"):
        list(read_shard(store, pinned, ["id"], batch_rows=9))


MEMORY_CODE = """
import resource, sys
import pyarrow as pa
from tests.flows.shards.jobs import dataset_at
from tests.flows.shards.test_reader import shards_of
from flows.shards.reader import read_shard
pa.set_memory_pool(pa.system_memory_pool())
found = dataset_at(sys.argv[1])
(shard,) = shards_of(found, rows=10**9)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = sum(b.num_rows for b in read_shard(found.store, shard, ["x"], batch_rows=32768))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(rows, (after - before) // 1024)
"""


def test_memory_is_bounded(tmp_path: Path) -> None:
    """One row group of 160 MB is streamed in less than 64 MB of new memory."""
    rng = np.random.default_rng(1)
    table = pa.table({"x": rng.standard_normal(20_000_000)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=20_000_000, use_dictionary=False)
    rows, grown = read_alone(tmp_path)
    assert rows == 20_000_000
    assert grown < 64


def read_alone(folder: Path) -> tuple[int, int]:
    """Read `x` in a process of its own; returns the rows, with the MiB by which it grew."""
    answer = subprocess.run(
        [sys.executable, "-c", MEMORY_CODE, str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    rows, grown = map(int, answer.stdout.split())
    return rows, grown


def test_repeated_texts_take_no_more_memory(tmp_path: Path) -> None:
    """20,000 rows of one text of 48 KiB are a file of 1 MB and 960 MB when decoded at once."""
    texts = pa.DictionaryArray.from_arrays(np.zeros(20_000, np.int32), ["a" * 49_152])
    # Without Arrow's schema the column is text to whoever reads it.
    table = pa.table({"x": texts})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=20_000, store_schema=False)
    assert dataset_at(tmp_path).schema.field("x").type == pa.string()
    rows, grown = read_alone(tmp_path)
    assert rows == 20_000
    assert grown < 128


def test_steps_follow_the_size_of_the_rows(tmp_path: Path) -> None:
    """Short texts come in large batches; fat ones behind them in small ones, none is lost."""
    texts = ["short"] * 20_000 + ["f" * 20_000] * 4_000 + ["short"] * 9_000
    write = pa.table({"x": texts, "id": range(33_000)})
    pq.write_table(write, tmp_path / "a.parquet")
    found = dataset_at(tmp_path)
    (shard,) = shards_of(found, rows=33_000)
    batches = list(read_shard(found.store, shard, ["x", "id"], batch_rows=8_192, batch_bytes=2**20))
    assert pa.Table.from_batches(batches)["id"].to_pylist() == list(range(33_000))
    sizes = [batch.num_rows for batch in batches]
    assert sizes[:2] == [8_192, 8_192]
    # A step of 52 rows has a little less than a MiB, so that a batch takes two.
    first = [batch["id"][0].as_py() for batch in batches]
    fat = [size for size, row in zip(sizes, first, strict=True) if 22_100 < row < 23_800]
    assert set(fat) == {104}
    # Short ones are read in long steps again.
    assert sizes[-2] > 2_048
