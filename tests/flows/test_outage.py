"""Check jobs whose real Triton is killed, restarted or never there."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.stack.process import free_ports
from cli.stack.triton import LocalTriton, TritonPorts
from flows.rounds import Hand, score_in_rounds
from flows.scoring import score_shard
from flows.shards.types import Shard
from inference.errors import PoolUnavailable, TransientError
from inference.jobs import BatchJob
from tests.conftest import TritonFactory
from tests.flows.bench import DOUBLING, Bench, numbers, open_bench, read

pytestmark = pytest.mark.triton

SLEEPS = -1000.0
ROWS = 400


@pytest.fixture
def mortal(triton_factory: TritonFactory) -> LocalTriton:
    """A server that may be killed, and starts again on the same ports."""
    return triton_factory(models=["faulty"], ports=TritonPorts(*free_ports(3)), grace_s=0.5)


def kill(server: LocalTriton) -> None:
    """Let it end as if its machine had lost power."""
    os.kill(server.pid, signal.SIGKILL)
    server.stop()


def slow_lake(
    folder: Path, *, rows: int = ROWS, every: int = 16, pause_ms: int = 20
) -> list[float]:
    """Write a dataset on which a server works for `pause_ms` for each microbatch."""
    values = [SLEEPS - pause_ms if k % every == 0 else float(k) for k in range(rows)]
    numbers(folder / "a.parquet", list(values))
    return [2 * value for value in values]


async def score_all(bench: Bench, job: BatchJob, mishap: Callable[[], object]) -> int:
    """Score a job, each shard as often as it takes; returns the tries.

    When the first shard is done the mishap happens, while another shard is under way.
    """
    plan = await asyncio.to_thread(bench.plan, job, DOUBLING)
    shared = bench.open(job, DOUBLING, plan)
    tries = 0
    mishaps = [mishap]

    async def score(hand: Hand, shard: Shard) -> None:
        nonlocal tries
        tries += 1
        try:
            await score_shard(shared, shard, attempt=tries)
            hand.drop()
        except TransientError:
            await asyncio.sleep(0.3)
            raise
        if mishaps:
            await asyncio.to_thread(mishaps.pop())

    await score_in_rounds(plan.left, score, of=4, in_flight=2, rounds=60)
    assert shared.progress.snapshot().rows_done == ROWS
    return tries


async def test_a_server_that_is_restarted_while_we_score(
    mortal: LocalTriton, tmp_path: Path
) -> None:
    """SIGKILL in the middle of a shard, then the same port: every row has its own score.

    The new server knows none of our shared memory.
    """
    expected = slow_lake(tmp_path / "lake")
    job = BatchJob(model="m@1", input=str(tmp_path / "lake"), output=str(tmp_path / "out"))

    def restart() -> None:
        kill(mortal)
        mortal.start()

    async with open_bench(mortal.grpc_url, breaker_open_s=0.2, probe_interval_s=0.2) as bench:
        tries = await score_all(bench, job, restart)
    assert tries > 4, "the other shard was in the middle"
    rows = read(tmp_path / "out").sort_by("id")
    assert rows["id"].to_pylist() == list(range(ROWS))
    assert rows["y"].to_pylist() == expected


async def test_the_other_server_takes_over(
    triton: LocalTriton, mortal: LocalTriton, tmp_path: Path
) -> None:
    """One of two servers dies for good: no shard even fails."""
    expected = slow_lake(tmp_path / "lake")
    job = BatchJob(model="m@1", input=str(tmp_path / "lake"), output=str(tmp_path / "out"))
    async with open_bench(triton.grpc_url, mortal.grpc_url) as bench:
        tries = await score_all(bench, job, lambda: kill(mortal))
    assert tries == 4
    rows = read(tmp_path / "out").sort_by("id")
    assert rows["y"].to_pylist() == expected


async def test_a_server_that_never_was(tmp_path: Path) -> None:
    """The pool says so; nothing is committed and the shard can be tried again."""
    slow_lake(tmp_path / "lake")
    job = BatchJob(model="m@1", input=str(tmp_path / "lake"), output=str(tmp_path / "out"))
    async with open_bench(f"127.0.0.1:{free_ports(1)[0]}") as bench:
        plan = bench.plan(job, DOUBLING)
        shared = bench.open(job, DOUBLING, plan)
        for attempt in range(5):
            with pytest.raises(TransientError):
                await score_shard(shared, plan.shards[0], attempt=attempt)
        with pytest.raises(PoolUnavailable):
            await score_shard(shared, plan.shards[0], attempt=6)
        assert shared.progress.snapshot().rows_done == 0
    assert not list((tmp_path / "out").rglob("part-*"))
