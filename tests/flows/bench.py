"""Score small datasets with real Triton servers, without Prefect."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from flows.budget import ErrorBudget
from flows.planning import JobPlan, plan_job
from flows.progress import JobProgress
from flows.publication import publish_job
from flows.scoring import score_shard
from flows.scoring_job import ScoringJob
from flows.settings import ScoringSettings
from flows.shards.commit import Adopted, Committed
from flows.shards.manifest import Manifest
from flows.shards.part_writer import scratch_folder
from flows.shards.settings import S3Settings, ShardSettings
from inference.jobs import BatchJob
from inference.pool import Pool
from inference.settings import InferenceSettings
from inference.shared_memory import BufferPool
from inference.triton import TritonServer
from registry.domain import ModelVersion, Signature, TensorSpec

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
SCORING = ScoringSettings(microbatch_max_rows=16, microbatches_in_flight=3, shards_in_flight=2)
FILES = ShardSettings(shard_rows=100, read_rows=64, footer_threads=4)


def spec(name: str, datatype: str, *row_shape: int) -> TensorSpec:
    """An input or output; the rows come first, by themselves."""
    return TensorSpec(name, datatype, (-1, *row_shape))


def model(
    name: str,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    *,
    max_batch_size: int = 0,
    version: int = 1,
) -> ModelVersion:
    """A model of tests/models as the registry would know it."""
    return ModelVersion(
        name=name,
        version=version,
        signature=Signature(tuple(inputs), tuple(outputs), max_batch_size),
        digest=f"sha256:{version}",
        served_name=name,
        served_version="1",
    )


DOUBLING = model("faulty", [spec("x", "FP32", 1)], [spec("y", "FP32", 1)])
"""`y = 2 x`, or the fault that a negative number asks for."""


def write(path: Path, table: pa.Table | dict[str, Any], *, group_rows: int = 50) -> Path:
    """Write a Parquet file with row groups of `group_rows` rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = table if isinstance(table, pa.Table) else pa.table(table)
    pq.write_table(whole, path, row_group_size=group_rows)
    return path


def numbers(path: Path, values: Sequence[float | None], *, first_id: int = 0) -> Path:
    """Write a file of `id` and `x`."""
    ids = pa.array(range(first_id, first_id + len(values)), pa.int64())
    return write(path, {"id": ids, "x": pa.array(values, pa.float32())})


def read(output: Path | str, **options: Any) -> pa.Table:
    """Read what a job published as any reader would, in the order of the parts."""
    return ds.dataset(str(output), format="parquet", **options).to_table()


def quarantined(output: Path) -> list[dict[str, Any]]:
    """Every row of the quarantine, by file and position."""
    rows = [
        row
        for path in sorted((output / "_quarantine").glob("*.parquet"))
        for row in pq.read_table(path, partitioning=None).to_pylist()
    ]
    return sorted(rows, key=lambda row: (row["_source_file"], row["_row"]))


@dataclass(frozen=True, slots=True)
class Scored:
    """A job that was scored and published."""

    manifest: Manifest
    """What was published."""
    done: list[Committed | Adopted]
    """What this run did."""
    rows: pa.Table
    """The published rows."""


class Bench:
    """Servers, and the settings by which jobs are scored with them."""

    def __init__(
        self,
        servers: Sequence[TritonServer],
        pool: Pool,
        buffers: BufferPool,
        *,
        scoring: ScoringSettings,
        files: ShardSettings,
    ) -> None:
        self.servers = servers
        self.pool = pool
        self.buffers = buffers
        self.scoring = scoring
        self.files = files
        self.readers = ThreadPoolExecutor(scoring.shards_in_flight)

    def plan(self, job: BatchJob, version: ModelVersion) -> JobPlan:
        """Plan a job and claim its output."""
        return plan_job(job, version, files=self.files, s3=S3Settings(), now=NOW)

    def open(self, job: BatchJob, version: ModelVersion, plan: JobPlan) -> ScoringJob:
        """Give what the shards of a job share."""
        return ScoringJob(
            dataset=plan.dataset,
            output=plan.output,
            model=version,
            mapping=plan.mapping,
            fingerprint=plan.fingerprint,
            allow_non_finite=job.allow_non_finite,
            pool=self.pool,
            buffers=self.buffers,
            readers=self.readers,
            budget=ErrorBudget(
                total_rows=plan.rows,
                max_fraction=job.max_quarantined_fraction,
                max_rows=job.max_quarantined_rows,
            ),
            progress=JobProgress(),
            scratch=scratch_folder(plan.output, self.files, plan.fingerprint.digest),
            scoring=self.scoring,
            files=self.files,
            utc_now=lambda: NOW,
        )

    async def run(self, version: ModelVersion, source: Path, output: Path, **asked: Any) -> Scored:
        """Score a dataset and publish it."""
        job = BatchJob(model=str(version), input=str(source), output=str(output), **asked)
        plan = await asyncio.to_thread(self.plan, job, version)
        shared = self.open(job, version, plan)
        done = [await score_shard(shared, shard, attempt=1) for shard in plan.left]
        manifest = publish_job(job, plan, done, timings={}, now=NOW, threads=4)
        rows = plan.mapping.output_schema.empty_table()
        if manifest.parts:
            parts = [pq.read_table(output / part.key, partitioning=None) for part in manifest.parts]
            rows = pa.concat_tables(parts)
        return Scored(manifest, done, rows)


@asynccontextmanager
async def open_bench(
    *urls: str,
    shared_memory: bool = True,
    scoring: ScoringSettings = SCORING,
    files: ShardSettings = FILES,
    **inference: Any,
) -> AsyncIterator[Bench]:
    """Connect to servers for the length of the block."""
    settings = InferenceSettings(triton_urls=urls, shared_memory=shared_memory, **inference)
    servers = [TritonServer(url, settings=settings) for url in urls]
    async with Pool(servers, settings) as pool:
        buffers = BufferPool(servers, enabled=shared_memory)
        try:
            yield Bench(servers, pool, buffers, scoring=scoring, files=files)
        finally:
            await buffers.close()
