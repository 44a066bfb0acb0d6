"""Score a dataset in this process, shards at the same time, without Prefect."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from flows.publication import publish_job
from flows.rounds import Hand, score_in_rounds
from flows.scoring import score_shard
from flows.settings import ScoringSettings
from flows.shards.commit import Adopted, Committed
from flows.shards.settings import ShardSettings
from flows.shards.types import Shard
from inference.jobs import BatchJob
from inference.pool import Pool
from inference.settings import InferenceSettings
from inference.shared_memory import BufferPool
from inference.triton import TritonServer
from tests.chaos.jobs.witness import MODEL
from tests.flows.bench import NOW, Bench, model, spec

SHARD_ROWS, MICROBATCH_ROWS = 250, 50
SCORING = ScoringSettings(
    microbatch_max_rows=MICROBATCH_ROWS, microbatches_in_flight=3, shards_in_flight=2
)
FILES = ShardSettings(shard_rows=SHARD_ROWS, read_rows=100, footer_threads=4)
WITNESS = model(MODEL, [spec("x", "FP32", 2)], [spec("y", "FP32", 1)])


def ask(source: object, output: str, **asked: Any) -> BatchJob:
    """Ask for a dataset of `tests.chaos.jobs.lake` to be scored."""
    return BatchJob(
        model=str(WITNESS),
        input=str(source),
        output=output,
        columns={"x": ["number", "value"]},
        **asked,
    )


@asynccontextmanager
async def connected(
    *urls: str, server: Callable[..., TritonServer] = TritonServer, **inference: Any
) -> AsyncIterator[Bench]:
    """Connect to servers for the length of the block, through `server` objects."""
    settings = InferenceSettings(triton_urls=urls, **inference)
    servers = [server(url, settings=settings) for url in urls]
    async with Pool(servers, settings) as pool:
        buffers = BufferPool(servers, enabled=settings.shared_memory)
        try:
            yield Bench(servers, pool, buffers, scoring=SCORING, files=FILES)
        finally:
            await buffers.close()


async def score(bench: Bench, job: BatchJob) -> list[Committed | Adopted]:
    """Score what is left of a job and publish it; returns what this run did.

    Raises what ends the job.
    """
    plan = await asyncio.to_thread(bench.plan, job, WITNESS)
    shared = bench.open(job, WITNESS, plan)
    done: list[Committed | Adopted] = []

    async def score_one(hand: Hand, shard: Shard) -> None:
        done.append(await score_shard(shared, shard, attempt=1))
        hand.drop()

    await score_in_rounds(
        plan.left, score_one, of=len(plan.shards), in_flight=SCORING.shards_in_flight, rounds=1
    )
    await asyncio.to_thread(publish_job, job, plan, done, timings={}, now=NOW, threads=4)
    return done
