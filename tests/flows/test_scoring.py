"""Check the scoring of shards through a real Triton: values, order, quarantine, memory."""

import asyncio
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tritonclient.grpc import InferenceServerClient

from cli.stack.triton import LocalTriton
from flows.errors import BudgetExceeded
from flows.scoring import score_shard
from flows.shards.commit import Adopted, Committed
from flows.shards.errors import CorruptPage, JobSuperseded
from flows.shards.manifest import MANIFEST_KEY, SUCCESS_KEY
from flows.shards.object_store_local import LocalStore
from inference.errors import ContractViolation, RequestRejected
from inference.jobs import BatchJob
from tests.cli.stack.processes import eventually, regions
from tests.flows.bench import (
    DOUBLING,
    SCORING,
    Bench,
    model,
    numbers,
    open_bench,
    quarantined,
    spec,
    write,
)

pytestmark = pytest.mark.triton

LINEAR = model("linear", [spec("features", "FP32", 64)], [spec("score", "FP32", 1)])
LIMITED = model("limited", [spec("x", "FP32", 1)], [spec("y", "FP32", 1)], max_batch_size=8)
POISON, FAULT, NAN, INFINITE, SHORT, SLEEPS = -1.0, -2.0, -30.0, -31.0, -20.0, -1000.0


def own_regions() -> list[str]:
    """Names in /dev/shm of this process's buffers; local servers have regions of their own."""
    own = re.compile(rf"nightshift-{os.getpid()}-[0-9a-f]{{32}}")
    return [name for name in regions("nightshift-") if own.fullmatch(name)]


def mapped(triton: LocalTriton) -> list[str]:
    """Regions of this process that the server has mapped, as it says."""
    with InferenceServerClient(triton.grpc_url.removeprefix("grpc://")) as client:
        status = client.get_system_shared_memory_status(as_json=True)
    own = f"nightshift-{os.getpid()}-"
    return [name for name in status.get("regions", {}) if name.startswith(own)]


async def test_every_row_has_the_models_score(triton: LocalTriton, tmp_path: Path) -> None:
    """64 columns through a linear model, several files, row groups, shards and microbatches."""
    columns = [f"f{k:02}" for k in range(64)]
    random = np.random.default_rng(7)
    data = random.normal(size=(330, 64)).astype(np.float32)
    for name, rows in (("month=1/a", slice(0, 130)), ("month=2/a", slice(130, 330))):
        table = {"id": np.arange(330)[rows], **dict(zip(columns, data[rows].T, strict=True))}
        write(tmp_path / "lake" / f"{name}.parquet", table)
    async with open_bench(triton.grpc_url) as bench:
        scored = await bench.run(
            LINEAR, tmp_path / "lake", tmp_path / "out", columns={"features": columns}
        )
    weights = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    assert len(scored.done) == 4
    assert scored.rows.column_names == ["id", "month", "score"]
    assert scored.rows["id"].to_pylist() == list(range(330))
    assert scored.rows["month"].to_pylist() == [1] * 130 + [2] * 200
    np.testing.assert_allclose(
        scored.rows["score"].to_numpy(), (data @ weights)[:, 0], rtol=1e-4, atol=1e-5
    )


async def test_a_model_with_a_limit_gets_no_more_rows_at_once(
    triton: LocalTriton, tmp_path: Path
) -> None:
    """A microbatch of 16 rows is two requests to a model of at most 8."""
    numbers(tmp_path / "in.parquet", range(100))
    async with open_bench(triton.grpc_url) as bench:
        scored = await bench.run(LIMITED, tmp_path / "in.parquet", tmp_path / "out")
        assert bench.pool.health().requests == 2 * 6 + 2 * 1 + 1 - 1
    assert scored.rows["y"].to_pylist() == [2.0 * k for k in range(100)]


async def test_rows_at_fault_are_found_and_kept_whole(triton: LocalTriton, tmp_path: Path) -> None:
    """Each row with its file, row group, position, stage and reason; all others are scored."""
    first: list[float | None] = [float(k) for k in range(120)]
    second: list[float | None] = [float(k) for k in range(500, 560)]
    first[3], first[57], first[58], first[119] = POISON, NAN, None, FAULT
    second[0] = INFINITE
    numbers(tmp_path / "lake/month=1/a.parquet", first)
    numbers(tmp_path / "lake/month=2/b.parquet", second, first_id=120)
    async with open_bench(triton.grpc_url) as bench:
        scored = await bench.run(
            DOUBLING, tmp_path / "lake", tmp_path / "out", max_quarantined_rows=5
        )
    bad = {3, 57, 58, 119, 120}
    values = [*first, *second]
    assert [(row["id"], row["y"]) for row in scored.rows.to_pylist()] == [
        (k, 2 * (value or 0.0)) for k, value in enumerate(values) if k not in bad
    ]
    told = [
        (r["id"], r["x"], r["month"], r["_source_file"], r["_row_group"], r["_row"])
        for r in quarantined(tmp_path / "out")
    ]
    assert told == [
        (3, POISON, 1, "month=1/a.parquet", 0, 3),
        (57, NAN, 1, "month=1/a.parquet", 1, 57),
        (58, None, 1, "month=1/a.parquet", 1, 58),
        (119, FAULT, 1, "month=1/a.parquet", 2, 119),
        (120, INFINITE, 2, "month=2/b.parquet", 0, 0),
    ]
    why = [(r["_stage"], r["_reason"], r["_detail"]) for r in quarantined(tmp_path / "out")]
    assert why[0][:2] == ("model", "rejected by the model")
    assert "poison row" in why[0][2]
    assert why[1] == ("answer", "non-finite y", "nan at position 0 of the row")
    assert why[2] == ("encode", "null in x", "")
    assert why[3][:2] == ("model", "the model failed on the row")
    assert why[4] == ("answer", "non-finite y", "inf at position 0 of the row")
    manifest = scored.manifest
    assert (manifest.rows_in, manifest.rows_ok, manifest.rows_quarantined) == (180, 175, 5)
    for part in manifest.parts:
        assert part.rows_in == part.rows_ok + part.rows_quarantined
        assert sum(part.reasons.values()) == part.rows_quarantined


async def test_non_finite_answers_are_scores_when_asked_for(
    triton: LocalTriton, tmp_path: Path
) -> None:
    """Then nothing is quarantined."""
    numbers(tmp_path / "in.parquet", [1.0, NAN, INFINITE])
    async with open_bench(triton.grpc_url) as bench:
        scored = await bench.run(
            DOUBLING, tmp_path / "in.parquet", tmp_path / "out", allow_non_finite=True
        )
    assert str(scored.rows["y"].to_pylist()) == "[2.0, nan, inf]"


@pytest.mark.parametrize("bad", [None, POISON, NAN])
@pytest.mark.parametrize("asked", [{}, {"max_quarantined_fraction": 0.01}])
async def test_one_row_too_many_ends_the_job(
    triton: LocalTriton, tmp_path: Path, bad: float | None, asked: dict[str, Any]
) -> None:
    """Whatever stage finds it; nothing is committed, and the counters are as before."""
    values: list[float | None] = [1.0] * 150
    values[20] = values[40] = bad
    numbers(tmp_path / "in.parquet", values)
    job = BatchJob(model="m@1", input=str(tmp_path), output=str(tmp_path / "_out"), **asked)
    async with open_bench(triton.grpc_url) as bench:
        plan = bench.plan(job, DOUBLING)
        shared = bench.open(job, DOUBLING, plan)
        with pytest.raises(BudgetExceeded, match=r"rows? cannot be scored .*: mend the rows"):
            await score_shard(shared, plan.shards[0], attempt=1)
        assert shared.progress.snapshot().rows_done == 0
        assert shared.budget.spent == 0
        left = [info.key for info in plan.output.list()]
        assert left == [f"_job-{plan.fingerprint.short}.json"]
        assert not list((tmp_path / "_out").rglob("*.parquet*"))


async def test_a_model_that_refuses_everything_is_not_the_rows_fault(
    triton: LocalTriton, tmp_path: Path
) -> None:
    """The refusal itself is told, whatever the budget."""
    numbers(tmp_path / "in.parquet", [POISON] * 100)
    async with open_bench(triton.grpc_url) as bench:
        with pytest.raises(RequestRejected, match="poison row"):
            await bench.run(
                DOUBLING, tmp_path / "in.parquet", tmp_path / "out", max_quarantined_fraction=1.0
            )


async def test_an_answer_with_too_few_rows_is_never_written(
    triton: LocalTriton, tmp_path: Path
) -> None:
    """A broken model ends the job, whatever the budget."""
    numbers(tmp_path / "in.parquet", [1.0, 2.0, SHORT, 3.0])
    async with open_bench(triton.grpc_url) as bench:
        with pytest.raises(ContractViolation):
            await bench.run(
                DOUBLING, tmp_path / "in.parquet", tmp_path / "out", max_quarantined_rows=4
            )
    assert not list((tmp_path / "out").glob("part-*"))


async def test_zero_rows_are_fine(triton: LocalTriton, tmp_path: Path) -> None:
    """An empty file, an empty row group between others, and nothing but empty files."""
    lake = tmp_path / "lake"
    numbers(lake / "a.parquet", [])
    schema = pa.schema([("id", pa.int64()), ("x", pa.float32())])
    with pa.parquet.ParquetWriter(lake / "b.parquet", schema) as writer:
        for ids in ([0, 1], [], [2]):
            columns = [pa.array(ids, pa.int64()), pa.array(ids, pa.float32())]
            writer.write_table(pa.table(columns, schema=schema))
    async with open_bench(triton.grpc_url) as bench:
        scored = await bench.run(DOUBLING, lake, tmp_path / "out")
        assert scored.rows.to_pydict() == {"id": [0, 1, 2], "y": [0.0, 2.0, 4.0]}
        (lake / "b.parquet").unlink()
        nothing = await bench.run(DOUBLING, lake, tmp_path / "nothing")
    assert (nothing.manifest.rows_in, nothing.manifest.parts) == (0, ())


async def test_only_partition_columns(triton: LocalTriton, tmp_path: Path) -> None:
    """A model fed from the path alone, with nothing kept, still has a score for each row."""
    for month in (1, 2):
        numbers(tmp_path / f"lake/month={month}/a.parquet", [0.0] * (10 * month))
    fed = model("limited", [spec("x", "FP32", 1)], [spec("y", "FP32", 1)], max_batch_size=8)
    async with open_bench(triton.grpc_url) as bench:
        scored = await bench.run(
            fed,
            tmp_path / "lake",
            tmp_path / "out",
            columns={"x": ["month"]},
            keep="none",
            casts=["lossy"],
        )
    assert scored.rows.column_names == ["month", "y"]
    assert scored.rows["y"].to_pylist() == [2.0] * 10 + [4.0] * 20


async def test_a_second_attempt_adopts(triton: LocalTriton, tmp_path: Path) -> None:
    """Of two attempts at a shard one commits, and the other finds its part."""
    numbers(tmp_path / "in.parquet", [1.0, None, 3.0])
    job = BatchJob(
        model="m@1", input=str(tmp_path), output=str(tmp_path / "_out"), max_quarantined_rows=2
    )
    async with open_bench(triton.grpc_url) as bench:
        plan = bench.plan(job, DOUBLING)
        (shard,) = plan.shards
        shared = bench.open(job, DOUBLING, plan)
        first = await score_shard(shared, shard, attempt=1)
        late = bench.open(job, DOUBLING, plan)
        second = await score_shard(late, shard, attempt=2)
        assert isinstance(first, Committed)
        assert isinstance(second, Adopted)
        assert second.record == first.record
        assert first.record.provenance.attempt == 1
        assert [info.key for info in plan.output.list("_quarantine/")] == [
            first.record.provenance.quarantine
        ]
        again = bench.plan(job, DOUBLING)
        assert again.left == ()
        assert again.committed == {0: first.record}


class TakenOver(LocalStore):
    """An output in which something happens just before the first put below `prefix`."""

    def __init__(self, root: Path, prefix: str, meanwhile: Callable[[], object]) -> None:
        super().__init__(root)
        self._prefix = prefix
        self._meanwhile = [meanwhile]

    def put_if_absent(self, key: str, source: bytes | Path) -> bool:
        if key.startswith(self._prefix) and self._meanwhile:
            self._meanwhile.pop()()
        return super().put_if_absent(key, source)


@pytest.mark.parametrize("late", ["_quarantine/", "part-"])
async def test_a_superseded_job_leaves_nothing(
    triton: LocalTriton, tmp_path: Path, late: str
) -> None:
    """Another job published between a look at the claim and the put: its output is as it was."""
    source = numbers(tmp_path / "in.parquet", [1.0, None, 3.0])
    output = tmp_path / "out"
    asked: dict[str, Any] = {"max_quarantined_rows": 1}
    job = BatchJob(model="m@1", input=str(source), output=str(output), **asked)
    other = replace(DOUBLING, version=2)
    loop = asyncio.get_running_loop()
    async with open_bench(triton.grpc_url) as bench:

        def take_over() -> None:
            replacing = bench.run(other, source, output, replace=True, **asked)
            asyncio.run_coroutine_threadsafe(replacing, loop).result(30)

        plan = bench.plan(job, DOUBLING)
        shared = bench.open(job, DOUBLING, plan)
        shared = replace(shared, output=TakenOver(output, late, take_over))
        with pytest.raises(JobSuperseded):
            await score_shard(shared, plan.shards[0], attempt=1)
        published = bench.plan(job.model_copy(update={"model": str(other)}), other).claim.published
    assert published is not None
    left = {info.key for info in plan.output.list()}
    assert left == published.objects() | {MANIFEST_KEY, SUCCESS_KEY}


async def test_inputs_go_through_shared_memory(triton: LocalTriton, tmp_path: Path) -> None:
    """The server maps our buffers while we score; afterwards it has none, nor has /dev/shm."""
    numbers(tmp_path / "in.parquet", [1.0, 2.0, SLEEPS - 300])
    async with open_bench(triton.grpc_url) as bench:
        running = asyncio.create_task(
            bench.run(DOUBLING, tmp_path / "in.parquet", tmp_path / "out")
        )
        while not (seen := await asyncio.to_thread(mapped, triton)):
            assert not running.done()
        scored = await running
        assert all(bench.servers[0].maps(name) for name in seen)
        # A buffer has no name any more as soon as it is mapped.
        assert own_regions() == []
    assert mapped(triton) == []
    assert scored.rows["y"].to_pylist() == [2.0, 4.0, -2600.0]


@pytest.mark.parametrize("shared_memory", [True, False])
async def test_both_ways_give_the_same(
    triton: LocalTriton, tmp_path: Path, shared_memory: bool
) -> None:
    """With and without shared memory, poison rows included, whose microbatch is cut up."""
    values: list[float | None] = [float(k) for k in range(90)]
    values[33] = POISON
    numbers(tmp_path / "in.parquet", values)
    async with open_bench(triton.grpc_url, shared_memory=shared_memory) as bench:
        scored = await bench.run(
            DOUBLING, tmp_path / "in.parquet", tmp_path / "out", max_quarantined_rows=1
        )
    assert scored.rows["y"].to_pylist() == [2.0 * k for k in range(90) if k != 33]
    assert [row["_row"] for row in quarantined(tmp_path / "out")] == [33]


def corrupt(path: Path, group: int) -> None:
    """Overwrite the middle of a row group's `x`."""
    column = pa.parquet.read_metadata(path).row_group(group).column(1)
    with path.open("r+b") as file:
        file.seek((column.dictionary_page_offset or column.data_page_offset) + 60)
        file.write(b"\xff" * (column.total_compressed_size - 60))


async def first_shard(bench: Bench, folder: Path) -> None:
    """Score the first shard of a dataset."""
    job = BatchJob(model="m@1", input=str(folder), output=str(folder / "_out"))
    plan = bench.plan(job, DOUBLING)
    await score_shard(bench.open(job, DOUBLING, plan), plan.shards[0], attempt=1)


async def test_a_failed_attempt_leaves_nothing_mapped(triton: LocalTriton, tmp_path: Path) -> None:
    """A page that cannot be read ends the attempt while requests are under way."""
    random = np.random.default_rng(1)
    path = write(
        tmp_path / "in.parquet",
        {"id": np.arange(100), "x": random.uniform(1, 2, 100).astype(np.float32)},
    )
    corrupt(path, 1)
    async with open_bench(triton.grpc_url) as bench:
        for _ in range(6):
            with pytest.raises(CorruptPage, match=r"in\.parquet, row group 1"):
                await first_shard(bench, tmp_path)
        assert len(mapped(triton)) <= 10, "buffers of a failed attempt are lent again"
    assert mapped(triton) == []
    assert not list((tmp_path / "_out").rglob("*.parquet*"))


async def test_a_cancelled_attempt_leaves_nothing(triton: LocalTriton, tmp_path: Path) -> None:
    """Neither a scratch file, nor a region, nor rows in the counters."""
    numbers(tmp_path / "in.parquet", [1.0] * 40 + [SLEEPS - 5000] + [2.0] * 59)
    job = BatchJob(model="m@1", input=str(tmp_path), output=str(tmp_path / "_out"))
    async with open_bench(triton.grpc_url) as bench:
        plan = bench.plan(job, DOUBLING)
        shared = bench.open(job, DOUBLING, plan)
        running = asyncio.create_task(score_shard(shared, plan.shards[0], attempt=1))
        assert await asyncio.to_thread(
            eventually, lambda: shared.progress.snapshot().rows_done >= 32, within_s=60
        )
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert shared.progress.snapshot().rows_done == 0
    assert mapped(triton) == []
    assert not list((tmp_path / "_out").rglob("*.parquet*"))


async def test_microbatches_are_bounded_by_bytes(triton: LocalTriton, tmp_path: Path) -> None:
    """Wide rows make small requests; one row always goes."""
    table = pa.table({"features": pa.FixedSizeListArray.from_arrays(np.ones(640, "f4"), 64)})
    write(tmp_path / "in.parquet", table)
    for limit, requests in ((1, 10), (4 * 64 * 4, 3)):
        tight = SCORING.model_copy(update={"microbatch_bytes": limit})
        async with open_bench(triton.grpc_url, scoring=tight) as bench:
            out = tmp_path / f"out-{limit}"
            scored = await bench.run(LINEAR, tmp_path / "in.parquet", out)
            assert bench.pool.health().requests == requests
        assert scored.manifest.rows_ok == 10
