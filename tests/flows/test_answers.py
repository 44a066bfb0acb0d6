"""Check what becomes of groups of rows that a real Triton refuses, is slow at or dies of."""

import asyncio
from pathlib import Path

import pytest

from cli.stack.triton import LocalTriton
from flows.scoring import score_shard
from flows.settings import ScoringSettings
from flows.shards.settings import ShardSettings
from inference.breaker import State
from inference.errors import TransientError
from inference.jobs import BatchJob
from tests.conftest import TritonFactory
from tests.flows.bench import DOUBLING, numbers, open_bench, quarantined

pytestmark = pytest.mark.triton

POISON, EXITS, SLOW = -1.0, -11.0, -40.0


async def test_clusters_of_refused_rows_are_set_aside(triton: LocalTriton, tmp_path: Path) -> None:
    """At the head of a job, and where whole microbatches are refused: the budget decides."""
    values = [float(number + 1) for number in range(300)]
    bad = [*range(10), *range(70, 140)]
    for row in bad:
        values[row] = POISON
    source = numbers(tmp_path / "in" / "a.parquet", values).parent
    async with open_bench(triton.grpc_url) as bench:
        scored = await bench.run(DOUBLING, source, tmp_path / "out", max_quarantined_rows=80)
    assert [row["_row"] for row in quarantined(tmp_path / "out")] == bad
    assert scored.rows["y"].to_pylist() == [2 * value for value in values if value > 0]


async def test_a_slow_model_is_asked_for_what_it_can_answer_in_time(
    triton: LocalTriton, tmp_path: Path
) -> None:
    """Ten milliseconds a row: the microbatch of 600 takes three times what is waited for."""
    source = numbers(tmp_path / "in" / "a.parquet", [SLOW] * 600).parent
    async with open_bench(
        triton.grpc_url,
        scoring=ScoringSettings(shards_in_flight=1),
        files=ShardSettings(),
        attempt_timeout_s=2.0,
        request_deadline_s=8.0,
    ) as bench:
        scored = await bench.run(DOUBLING, source, tmp_path / "out")
        assert bench.pool.health().servers[0].breaker is State.CLOSED
    assert scored.rows["y"].to_pylist() == [2 * SLOW] * 600


async def test_rows_that_a_server_dies_of_are_named(
    triton_factory: TritonFactory, tmp_path: Path
) -> None:
    """Nobody can tell them from an outage: the error says where to look when it stays."""
    server = triton_factory(models=["faulty"])
    values = [EXITS if number == 20 else 1.0 for number in range(50)]
    source = numbers(tmp_path / "in" / "a.parquet", values).parent
    async with open_bench(server.grpc_url) as bench:
        job = BatchJob(model="faulty@1", input=str(source), output=str(tmp_path / "out"))
        plan = await asyncio.to_thread(bench.plan, job, DOUBLING)
        with pytest.raises(
            TransientError, match=r"\(asked for rows \d+…\d+ of a\.parquet, shard 0\)$"
        ):
            await score_shard(bench.open(job, DOUBLING, plan), plan.left[0], attempt=1)
