"""Give up requests in flight again and again: the real server stays, and the next run completes."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import numpy as np
import pytest

from cli.stack.triton import LocalTriton
from inference.pool import Pool
from inference.shared_memory import Buffer, BufferPool
from inference.tensors import InferRequest
from tests.chaos.checker import inspect
from tests.chaos.jobs.lake import write_lake
from tests.chaos.jobs.scoring import SHARD_ROWS, ask, connected, score
from tests.chaos.jobs.witness import MODEL, Witness
from tests.chaos.objects import read_folder
from tests.chaos.seeds import Chaos
from tests.flows.bench import Bench

pytestmark = [pytest.mark.triton, pytest.mark.chaos]

CONNECTIONS = 4
"""Clients that give requests up at the same time."""
ROUND = 20
"""Requests of one client until its buffers are taken back."""
ROWS = 50
_F4 = np.dtype(np.float32)


async def lease(buffers: BufferPool) -> Buffer:
    """Lend the memory for a request."""
    return await buffers.lease(ROWS * 2 * _F4.itemsize)


async def infer(pool: Pool, buffer: Buffer, number: int) -> None:
    """Send a request from a leased buffer, as scoring does; its answer must be right."""
    x = buffer.allocate((ROWS, 2), _F4)
    x[:] = number
    answer = await pool.infer(InferRequest(MODEL, "1", {"x": x}, ("y",), ROWS, buffer=buffer))
    assert (answer.outputs["y"] == 3 * number).all()


async def usual_s(benches: Sequence[Bench]) -> float:
    """Measure how long a request of each client takes on this machine as it is now."""
    spans = []
    buffers = [await lease(bench.buffers) for bench in benches]
    for number in range(20):
        start = time.monotonic()
        pairs = zip(benches, buffers, strict=True)
        await asyncio.gather(*(infer(bench.pool, buffer, number) for bench, buffer in pairs))
        spans.append(time.monotonic() - start)
    return float(np.median(spans))


async def give_up(bench: Bench, chance: random.Random, usual: float, *, shared_memory: bool) -> int:
    """Cancel a round of requests, one after the other; returns how many were not answered before.

    The moments lie around the answers, where a cancellation did end a server.
    """
    given_up = 0
    buffers = BufferPool(bench.servers, enabled=shared_memory)
    for number in range(ROUND):
        buffer = await lease(buffers)  # another one each time: the server may still read the last
        asking = asyncio.create_task(infer(bench.pool, buffer, number))
        await asyncio.sleep(chance.uniform(0.2, 1.3) * usual)
        given_up += asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
    await infer(bench.pool, await lease(buffers), number=7)
    await buffers.close()
    return given_up


async def mapped(triton: LocalTriton) -> tuple[str, ...]:
    """Return the buffers that a server has mapped, whosoever they are."""
    async with connected(triton.grpc_url) as bench:
        return await bench.servers[0].mapped_buffers()


@pytest.mark.parametrize("shared_memory", [True, False])
async def test_requests_are_given_up(
    shared_memory: bool, witnessed: LocalTriton, witness: Witness, chaos: Chaos
) -> None:
    """Around the moment of their answers; later ones are answered, and nothing stays mapped."""
    chance, rounds = chaos.random(), chaos.count(200, sample=2)
    server, given_up = witnessed.pid, 0
    async with AsyncExitStack() as open_now:
        benches = [
            await open_now.enter_async_context(
                connected(witnessed.grpc_url, shared_memory=shared_memory)
            )
            for _ in range(CONNECTIONS)
        ]
        usual = await usual_s(benches)
        for _ in range(rounds):
            running = [
                give_up(bench, chance, usual, shared_memory=shared_memory) for bench in benches
            ]
            given_up += sum(await asyncio.gather(*running))
        assert [bench.pool.health().failures for bench in benches] == [0] * CONNECTIONS
    assert await mapped(witnessed) == ()
    assert witness.noted()[-1].server == server
    chaos.tell(
        f"{given_up:,} of {rounds * ROUND * CONNECTIONS:,} requests given up before their answer, "
        f"{'in shared memory' if shared_memory else 'over the socket'}: the server stays, later "
        "answers are right"
    )


async def test_jobs_are_given_up(
    witnessed: LocalTriton, witness: Witness, chaos: Chaos, tmp_path: Path
) -> None:
    """In the middle of their shards; each continues, and its output is right."""
    chance, jobs = chaos.random(), chaos.count(40, sample=1)
    lake = write_lake(tmp_path / "lake", files=1, rows=4 * SHARD_ROWS, group_rows=SHARD_ROWS)
    given_up = 0
    for number in range(jobs):
        witness.order(pause_s=chance.choice([0, 0.002, 0.02]))
        job, ended = ask(tmp_path / "lake", str(tmp_path / f"scores-{number}")), False
        mark, runs = witness.mark(), 0
        while not ended:
            runs += 1
            wanted = runs * chance.randint(1, 12)  # a later run gets further, and one gets through
            async with connected(witnessed.grpc_url) as bench:
                running = asyncio.create_task(score(bench, job))
                while not running.done() and len(witness.noted(mark)) < wanted:
                    await asyncio.sleep(0.001)
                await asyncio.sleep(chance.uniform(0, 0.01))
                ended = not running.cancel()
                given_up += not ended
                with suppress(asyncio.CancelledError):
                    await running
            mark = witness.mark()
        found = read_folder(tmp_path / f"scores-{number}")
        objects = {key: one for key, one in found.items() if not key.endswith(".lock")}
        whole = inspect(objects, lake.expected())
        assert (whole.state, whole.leftovers, whole.is_clean) == ("published", (), True), whole
    assert await mapped(witnessed) == ()
    chaos.tell(f"{jobs} jobs given up {given_up} times: 0 lost, 0 duplicated, 0 wrong rows")
