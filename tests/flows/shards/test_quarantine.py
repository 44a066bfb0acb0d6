"""Rows that failed are kept whole, with where they come from and why."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.shards.dataset import Dataset
from flows.shards.errors import AmbiguousPut, StoreUnavailable
from flows.shards.object_store import ObjectStore
from flows.shards.planner import plan
from flows.shards.quarantine import quarantine_key, write_quarantine
from flows.shards.types import QuarantinedRow
from tests.contracts.memory_object_store import MemoryObjectStore
from tests.flows.shards.jobs import SETTINGS, dataset_at, rows_of

KEY = "_quarantine/part-00000-abc-w.parquet"


def keep(
    dataset: Dataset, output: ObjectStore, scratch: Path, *rows: QuarantinedRow, shard: int = 0
) -> int:
    """Quarantine rows of a shard; returns how many were written."""
    scratch.mkdir(exist_ok=True)
    files = dataset.input_files(["id"])
    written = write_quarantine(
        dataset.store,
        output,
        plan(files, shard_rows=1000, shard_bytes=2**40)[shard],
        rows,
        key=KEY,
        schema=dataset.schema,
        partition_schema=dataset.partition_schema,
        scratch_dir=scratch,
        settings=SETTINGS,
    )
    assert written.key == KEY
    assert list(scratch.iterdir()) == []
    return written.rows


def test_whole_rows_with_their_reasons(
    dataset: Dataset, output: ObjectStore, tmp_path: Path
) -> None:
    """Every source column, the partition, and where and why, in file order, on every store."""
    rows = (
        QuarantinedRow(119, "answer", "NaN in score"),
        QuarantinedRow(0, "encode", "null in delay", "null"),
        QuarantinedRow(51, "model", "rejected", "the server said so"),
    )
    assert keep(dataset, output, tmp_path / "s", *rows) == 3
    origin = {"month": 1, "_source_file": "month=1/a.parquet"}
    assert rows_of(output, [KEY]) == [
        {
            "id": 0,
            "delay": None,
            "tail": "N0",
            **origin,
            "_row_group": 0,
            "_row": 0,
            "_stage": "encode",
            "_reason": "null in delay",
            "_detail": "null",
        },
        {
            "id": 51,
            "delay": 25.5,
            "tail": "N51",
            **origin,
            "_row_group": 1,
            "_row": 51,
            "_stage": "model",
            "_reason": "rejected",
            "_detail": "the server said so",
        },
        {
            "id": 119,
            "delay": 59.5,
            "tail": "N119",
            **origin,
            "_row_group": 2,
            "_row": 119,
            "_stage": "answer",
            "_reason": "NaN in score",
            "_detail": "",
        },
    ]


def test_a_row_is_kept_once(dataset: Dataset, memory: MemoryObjectStore, tmp_path: Path) -> None:
    """A row that failed twice is kept with its first reason."""
    twice = (QuarantinedRow(3, "encode", "first"), QuarantinedRow(3, "encode", "second"))
    assert keep(dataset, memory, tmp_path / "s", *twice) == 1
    assert [row["_reason"] for row in rows_of(memory, [KEY])] == ["first"]


def test_every_row_of_a_later_shard(
    dataset: Dataset, memory: MemoryObjectStore, tmp_path: Path
) -> None:
    """Positions are those of the file, and a shard may lose all its rows."""
    rows = [QuarantinedRow(row, "encode", "bad") for row in range(130)]
    assert keep(dataset, memory, tmp_path / "s", *rows, shard=1) == 130
    assert [(row["_row"], row["id"]) for row in rows_of(memory, [KEY])] == [
        (row, row + 120) for row in range(130)
    ]


def test_null_where_another_file_has_none(memory: MemoryObjectStore, tmp_path: Path) -> None:
    """A column that the first file declares free of nulls keeps the nulls of the second."""
    (tmp_path / "lake").mkdir()
    strict = pa.schema([pa.field("id", pa.int64(), nullable=False)])
    pq.write_table(pa.table([[1, 2]], schema=strict), tmp_path / "lake/a.parquet")
    pq.write_table(pa.table({"id": [3, None]}), tmp_path / "lake/b.parquet")
    row = QuarantinedRow(1, "encode", "null in id", "null")
    assert keep(dataset_at(tmp_path / "lake"), memory, tmp_path / "s", row, shard=1) == 1
    (kept,) = rows_of(memory, [KEY])
    assert (kept["id"], kept["_source_file"], kept["_row"]) == (None, "b.parquet", 1)


def test_null_partition_and_taken_names(memory: MemoryObjectStore, tmp_path: Path) -> None:
    """A null partition stays null with its type; our names give way to the data's."""
    path = tmp_path / "lake" / "k=__HIVE_DEFAULT_PARTITION__"
    path.mkdir(parents=True)
    pq.write_table(pa.table({"_row": ["mine"], "__row": [1]}), path / "a.parquet")
    found = dataset_at(tmp_path / "lake")
    keep(found, memory, tmp_path / "s", QuarantinedRow(0, "encode", "bad"))
    table = pq.read_table(pa.BufferReader(memory.read(KEY)))
    assert table.schema.field("k").type == pa.int64()
    (row,) = table.to_pylist()
    assert (row["k"], row["_row"], row["__row"], row["___row"]) == (None, "mine", 1, 0)


class Deaf(MemoryObjectStore):
    """A store whose answers to puts are lost; `stored` tells whether the put still happens."""

    def __init__(self, *, lost: int, stored: bool) -> None:
        super().__init__()
        self.lost = lost
        self.stored = stored

    def put_if_absent(self, key: str, source: bytes | Path) -> bool:
        self.lost -= 1
        if self.lost < 0 or self.stored:
            done = super().put_if_absent(key, source)
            if self.lost < 0:
                return done
        raise AmbiguousPut(key, "no answer")


@pytest.mark.parametrize("stored", [True, False])
def test_lost_answers(dataset: Dataset, tmp_path: Path, stored: bool) -> None:
    """An unanswered put is repeated; finding our own object then is no error."""
    output = Deaf(lost=2, stored=stored)
    assert keep(dataset, output, tmp_path / "s", QuarantinedRow(0, "encode", "bad")) == 1
    assert len(rows_of(output, [KEY])) == 1


def test_store_that_never_answers(dataset: Dataset, tmp_path: Path) -> None:
    """After some tries the store is said to be unavailable; nothing is left in the scratch."""
    with pytest.raises(StoreUnavailable, match="no answer"):
        keep(
            dataset,
            Deaf(lost=99, stored=False),
            tmp_path / "s",
            QuarantinedRow(0, "encode", "bad"),
        )
    assert list((tmp_path / "s").iterdir()) == []


class Swallowing(MemoryObjectStore):
    """A store that accepts a put and keeps nothing."""

    def put_if_absent(self, key: str, source: bytes | Path) -> bool:
        return True


def test_put_that_is_not_there(dataset: Dataset, tmp_path: Path) -> None:
    """An accepted object that cannot be seen is not taken for written."""
    with pytest.raises(StoreUnavailable, match="it was put and is not there"):
        keep(dataset, Swallowing(), tmp_path / "s", QuarantinedRow(0, "encode", "bad"))


def test_names_of_two_attempts_differ() -> None:
    """The write id is part of the name."""
    part = "part-00012-0123456789ab.parquet"
    assert quarantine_key(part, "w1") == "_quarantine/part-00012-0123456789ab-w1.parquet"
    assert quarantine_key(part, "w2") != quarantine_key(part, "w1")
