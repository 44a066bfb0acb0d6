"""Keep a job's plan beside its output, for the runs that score its slices.

What takes long in planning is kept: the files of the dataset with what their footers say. How they
are cut and how columns become tensors is a pure function of that, so every reader works it out
again, in milliseconds, and compares the fingerprint of what came out with the one that it was told.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from flows.shards.dataset import partitions_of
from flows.shards.errors import NoSuchObject, OutputError
from flows.shards.manifest import Cut
from flows.shards.object_store import ObjectStore
from flows.shards.types import InputFile, RowGroup

PLAN_PREFIX = "_plan-"
"""Names of plans, in the output's root."""
_HEAD_KEY = b"nightshift.plan"
_FILES = pa.schema(
    [
        ("key", pa.string()),
        ("etag", pa.string()),
        ("size", pa.int64()),
        ("group_rows", pa.list_(pa.int64())),
        ("group_bytes", pa.list_(pa.int64())),
    ]
)


class PlanHead(BaseModel):
    """What a plan says besides its files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fingerprint: str
    """Digest of the job's fingerprint, in hex."""
    job: dict[str, Any]
    """What was asked for."""
    model: str
    """The pinned version, `NAME@3`."""
    input_uri: str
    """The dataset's address, as it stands in the fingerprint."""
    input_root: str
    """Below which the files' keys lie."""
    cut: Cut
    """How the dataset is cut."""
    replaced: str = ""
    """Digest of the published job that this one replaces."""


class PlanUnusable(OutputError):
    """A plan beside an output that is not the job's."""

    def __init__(self, uri: str, why: str) -> None:
        super().__init__(f"unusable plan: {uri} ({why}): remove it and run the job again")


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """A plan that was written or read."""

    head: PlanHead
    """Everything but the files."""
    files: tuple[InputFile, ...]
    """The dataset's, by key, with the bytes of the columns that the job reads."""
    schema: pa.Schema
    """Columns that the files hold."""
    partition_schema: pa.Schema
    """Columns that come from the path."""


def plan_key(fingerprint: str) -> str:
    """Name the plan of a job."""
    return f"{PLAN_PREFIX}{fingerprint[:12]}.parquet"


def write_plan(store: ObjectStore, plan: KeptPlan) -> None:
    """Put the plan beside the output, unless an earlier run of the job has. Blocks."""
    store.put_if_absent(plan_key(plan.head.fingerprint), _to_bytes(plan))


def _to_bytes(plan: KeptPlan) -> bytes:
    metadata = {
        _HEAD_KEY: plan.head.model_dump_json().encode(),
        b"nightshift.schema": plan.schema.serialize().to_pybytes(),
    }
    table = pa.table(
        {
            "key": [file.key for file in plan.files],
            "etag": [file.etag for file in plan.files],
            "size": [file.size for file in plan.files],
            "group_rows": [[group.rows for group in file.row_groups] for file in plan.files],
            "group_bytes": [[group.bytes for group in file.row_groups] for file in plan.files],
        },
        schema=_FILES.with_metadata(metadata),
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def read_plan(store: ObjectStore, fingerprint: str) -> KeptPlan:
    """Read the plan of the job `fingerprint`. Blocks. Raises `NoSuchObject`, `PlanUnusable`."""
    key = plan_key(fingerprint)
    try:
        table = pq.read_table(pa.BufferReader(store.read(key)))
        metadata: Mapping[bytes, bytes] = table.schema.metadata or {}
        head = PlanHead.model_validate_json(metadata[_HEAD_KEY])
        schema = pa.ipc.read_schema(pa.py_buffer(metadata[b"nightshift.schema"]))
        files, partition_schema = _files(table, head.input_root)
    except NoSuchObject:
        raise
    except (pa.ArrowException, OSError, KeyError, ValidationError) as error:
        raise PlanUnusable(f"{store.uri}/{key}", str(error).splitlines()[0]) from error
    if head.fingerprint != fingerprint:
        raise PlanUnusable(f"{store.uri}/{key}", "it is another job's")
    return KeptPlan(head, files, schema, partition_schema)


def _files(table: pa.Table, root: str) -> tuple[tuple[InputFile, ...], pa.Schema]:
    rows = table.to_pylist()
    partitions, partition_schema = partitions_of([row["key"] for row in rows], root)
    files = tuple(
        InputFile(
            key=row["key"],
            etag=row["etag"],
            size=row["size"],
            row_groups=tuple(map(RowGroup, row["group_rows"], row["group_bytes"])),
            partitions=dict(values),
        )
        for row, values in zip(rows, partitions, strict=True)
    )
    return files, partition_schema
