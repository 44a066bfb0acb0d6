"""Batch and callers at one server: what callers wait, and what batch still does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from cli.stack.triton import LocalTriton
from inference.microbatch import infer_rows
from inference.pool import Pool, open_pool
from inference.proof import Proof
from inference.settings import CallersInferenceSettings, InferenceSettings
from inference.tensors import InferRequest
from tests.chaos.online.conftest import SLOW
from tests.chaos.seeds import Chaos
from tests.inference.scripted import DOUBLES

pytestmark = [pytest.mark.triton, pytest.mark.chaos]

ASKS_FOR_TIME = -40.0
"""Each row takes the model 10 ms."""
CALLER_ROWS = 4
RATE = 5.0
"""Requests of callers a second: a fifth of what the server does."""
MICROBATCH_ROWS = 32
AT_ONCE = 8


@pytest.mark.timeout(600)
async def test_batch_gives_way(whole: list[LocalTriton], chaos: Chaos) -> None:
    """In one run: callers alone, batch alone, both without giving way, both with it."""
    seconds = 4.0 if chaos.scale is None else max(6.0, 60.0 * chaos.scale)
    url = whole[0].grpc_url
    alone = await _callers(url, seconds)
    async with _batch(url, gives_way=True) as batch:
        rate = await batch.rate(seconds)
    async with _batch(url, gives_way=False) as batch:
        await asyncio.sleep(3.0)
        crowded, _ = await asyncio.gather(_callers(url, seconds), batch.rate(seconds))
    async with _batch(url, gives_way=True) as batch:
        meeting = asyncio.create_task(_callers(url, seconds + 6.0))
        await asyncio.sleep(6.0)
        kept = await batch.rate(seconds)
        beside = (await meeting)[int(6.0 * RATE) :]
        ceiling = batch.ceiling
    p99 = [float(np.percentile(each, 99)) for each in (alone, crowded, beside)]
    told = (
        f"p99 of callers {p99[0] * 1000:.0f} ms alone, {p99[1] * 1000:.0f} ms beside batch, "
        f"{p99[2] * 1000:.0f} ms where it gives way ({p99[2] / p99[0]:.2f}); batch keeps "
        f"{kept / rate:.0%} of {rate:.0f} rows/s"
    )
    chaos.tell(told)
    assert ceiling == 1, told
    # A sample shares its machine with other tests: how long something takes says nothing there.
    assert chaos.scale is None or p99[2] <= 1.5 * p99[0], told
    assert chaos.scale is None or kept >= 0.6 * rate, told


class _Batch:
    """Microbatches without end, several at a time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.rows = 0

    @property
    def ceiling(self) -> int | None:
        """Most requests that it has at the server now."""
        return self._pool.known(self._pool.servers)[0].ceiling

    async def run(self) -> None:
        """Score until cancelled."""
        x = np.full((MICROBATCH_ROWS, 1), ASKS_FOR_TIME, np.float32)
        request = InferRequest(SLOW, "1", {"x": x}, ("y",), MICROBATCH_ROWS)
        proof = Proof()
        while True:
            await infer_rows(
                self._pool,
                request,
                signature=DOUBLES.signature,
                max_rejected=0,
                allow_non_finite=False,
                proof=proof,
            )
            self.rows += MICROBATCH_ROWS

    async def rate(self, seconds: float) -> float:
        """Return the rows a second from now on."""
        before = self.rows
        await asyncio.sleep(seconds)
        return (self.rows - before) / seconds


@asynccontextmanager
async def _batch(url: str, *, gives_way: bool) -> AsyncIterator[_Batch]:
    async with open_pool(InferenceSettings(triton_urls=(url,))) as pool:
        if gives_way:
            pool.give_way()
        batch = _Batch(pool)
        running = [asyncio.create_task(batch.run()) for _ in range(AT_ONCE)]
        await asyncio.sleep(1.0)
        try:
            yield batch
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def _callers(url: str, seconds: float) -> list[float]:
    """Ask at a constant rate; return how long each answer took, in the order they were asked."""
    loop = asyncio.get_running_loop()
    x = np.full((CALLER_ROWS, 1), ASKS_FOR_TIME, np.float32)
    request = InferRequest(SLOW, "1", {"x": x}, ("y",), CALLER_ROWS)

    async def one() -> float:
        begun = loop.time()
        await pool.infer(request, deadline_s=30.0)
        return loop.time() - begun

    async with open_pool(CallersInferenceSettings(triton_urls=(url,))) as pool:
        async with asyncio.TaskGroup() as group:
            asked = []
            for _ in range(int(RATE * seconds)):
                asked.append(group.create_task(one()))
                await asyncio.sleep(1 / RATE)
        return [task.result() for task in asked]
