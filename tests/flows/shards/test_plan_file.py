"""Check that a plan is read back as it was written."""

from pathlib import Path

import pyarrow as pa
import pytest

from flows.shards.errors import NoSuchObject
from flows.shards.manifest import Cut
from flows.shards.object_store_local import LocalStore
from flows.shards.plan_file import (
    KeptPlan,
    PlanHead,
    PlanUnusable,
    plan_key,
    read_plan,
    write_plan,
)
from flows.shards.types import InputFile, RowGroup

DIGEST = "0123456789abcdef" * 4
SCHEMA = pa.schema([("id", pa.int64()), ("x", pa.list_(pa.float32(), 3))])


def head(fingerprint: str = DIGEST) -> PlanHead:
    return PlanHead(
        fingerprint=fingerprint,
        job={"model": "m@1", "casts": ["lossy"]},
        model="m@1",
        input_uri="s3://lake/in",
        input_root="s3://lake",
        cut=Cut(shard_rows=10, shard_bytes=20),
    )


def file(index: int) -> InputFile:
    groups = (RowGroup(index, 10 * index), RowGroup(0, 0))
    return InputFile(
        f"month={index}/a.parquet", f"etag-{index}", 99, groups, partitions={"month": index}
    )


def kept(count: int, fingerprint: str = DIGEST) -> KeptPlan:
    partition_schema = pa.schema([("month", pa.int64())])
    return KeptPlan(head(fingerprint), tuple(map(file, range(count))), SCHEMA, partition_schema)


def test_is_read_back(tmp_path: Path) -> None:
    """Files, row groups, partitions and schemas; the first that is written stays."""
    store = LocalStore(tmp_path)
    write_plan(store, kept(3))
    write_plan(store, kept(2))
    assert read_plan(store, DIGEST) == kept(3)


def test_ten_thousand_files_stay_small(tmp_path: Path) -> None:
    """Less than the parts' own footers: a slice's run fetches it whole."""
    store = LocalStore(tmp_path)
    write_plan(store, kept(10_000))
    assert (tmp_path / plan_key(DIGEST)).stat().st_size < 300_000
    assert read_plan(store, DIGEST) == kept(10_000)


def test_another_jobs_plan_is_refused(tmp_path: Path) -> None:
    """Its name is made of the first digits only."""
    store = LocalStore(tmp_path)
    other = DIGEST[:12] + "f" * 52
    write_plan(store, kept(1, other))
    with pytest.raises(PlanUnusable, match="it is another job's"):
        read_plan(store, DIGEST)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"x" * 100])
def test_damage_is_refused(tmp_path: Path, data: bytes) -> None:
    """In one line, with what to do."""
    (tmp_path / plan_key(DIGEST)).write_bytes(data)
    with pytest.raises(PlanUnusable, match="remove it and run the job again"):
        read_plan(LocalStore(tmp_path), DIGEST)


def test_a_plan_that_is_gone(tmp_path: Path) -> None:
    """The job was published, or given up."""
    with pytest.raises(NoSuchObject):
        read_plan(LocalStore(tmp_path), DIGEST)
