"""Check what is read of servers about a run's requests."""

import asyncio
from pathlib import Path

import pytest

from cli.stack.triton import LocalTriton
from flows.metering import Meter, bound_so_far, read_statistics, served_between
from flows.progress import JobProgress
from flows.scoring import score_shard
from inference.jobs import BatchJob
from inference.server import ModelStatistics
from tests.contracts.test_server import doubles
from tests.flows.bench import DOUBLING, numbers, open_bench
from tests.inference.scripted import ScriptedServer


async def test_each_server_is_asked() -> None:
    """By its address."""
    servers = [ScriptedServer("a"), ScriptedServer("b")]
    await servers[1].infer(doubles(), timeout_s=5)
    found = await read_statistics(servers, "faulty", "1")
    assert found == {
        "a": ModelStatistics(0, 0.0, 0.0, 0.0, 1),
        "b": ModelStatistics(1, 0.0, 0.0, 0.0, 1),
    }


async def test_a_server_that_does_not_tell_spoils_the_sum() -> None:
    """No figure rather than one that is too small."""
    away = ScriptedServer("b")
    away.away = True
    assert await read_statistics([ScriptedServer("a"), away], "faulty", "1") is None


def test_what_happened_in_between() -> None:
    """Summed over the servers; one that was started again counts from zero."""
    before = {
        "a": ModelStatistics(10, 4.0, 2.0, 1.0, 1),
        "b": ModelStatistics(90, 50.0, 20.0, 20.0, 2),
    }
    after = {
        "a": ModelStatistics(16, 6.0, 2.5, 1.75, 1),
        "b": ModelStatistics(3, 0.5, 0.25, 0.125, 2),
    }
    assert served_between(before, after) == ModelStatistics(9, 2.5, 0.75, 0.875, 3)
    assert served_between(None, after) is None
    assert served_between(before, None) is None


@pytest.mark.triton
async def test_a_run_is_measured(triton: LocalTriton, tmp_path: Path) -> None:
    """Sleeping is compute; what another client asks meanwhile is counted as such."""
    source = numbers(tmp_path / "in.parquet", [-2_000.0, *range(49)])  # sleeps for a second
    async with open_bench(triton.grpc_url) as bench:
        job = BatchJob(model="faulty@1", input=str(source), output=str(tmp_path / "out"))
        plan = await asyncio.to_thread(bench.plan, job, DOUBLING)
        shared = bench.open(job, DOUBLING, plan)
        shared.progress.enter("score")
        before = await bench.servers[0].statistics("faulty", "1")
        meter = await Meter.begin(bench.pool, DOUBLING)
        nothing = await meter.end([], JobProgress(), bench.scoring)
        done = [await score_shard(shared, shard, attempt=1) for shard in plan.left]
        for _ in range(5):
            await bench.servers[0].infer(doubles(), timeout_s=5)
        while (await bench.servers[0].statistics("faulty", "1")).requests < before.requests + 9:
            await asyncio.sleep(0.01)  # answers are counted after they were sent
        work = await meter.end(done, shared.progress, bench.scoring)
        spread = await meter.end(done, shared.progress, bench.scoring, on_workers=True)
        so_far = bound_so_far(shared.progress, bench.scoring)
    assert (nothing.stages, nothing.bound, nothing.foreign_requests) == ((), None, 0)
    assert work.foreign_requests == 5
    assert 0.0 < work.own_share < 1.0
    assert (spread.foreign_requests, spread.own_share) == (0, 1.0), "workers asked, or others"
    assert so_far is not None
    assert so_far.name == "infer"
    names = ["read", "encode", "transfer", "queue", "compute", "write", "commit"]
    assert [stage.name for stage in work.stages] == names
    busy = {stage.name: stage.busy_s for stage in work.stages}
    assert busy["compute"] >= 1.0
    assert min(busy[name] for name in ("read", "encode", "write", "commit")) > 0
    assert work.bound is not None
    assert work.bound.name == "compute"
    assert work.bound.share <= 1.0
    assert work.bound.ceiling is None, "others asked as well"
    worked = {stage.name: stage.processor_s for stage in work.stages}
    threads = {"read", "encode", "write", "commit"}
    assert {name for name, seconds in worked.items() if seconds > 0} == threads
    assert all(worked[name] <= busy[name] + 0.001 for name in threads)
