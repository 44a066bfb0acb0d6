"""Batch and callers at one server: what callers wait, and what batch still does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

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

pytestmark = [
    pytest.mark.triton,
    pytest.mark.chaos,
    pytest.mark.long_form(
        "how long something takes is all it shows; tests/inference/test_giving_way.py has "
        "what is decided"
    ),
]

ASKS_FOR_TIME = -40.0
"""Each row takes the model 10 ms."""
CALLER_ROWS = 4
RATE = 5.0
"""Requests of callers a second: a fifth of what the server does."""
MICROBATCH_ROWS = 32
AT_ONCE = 8
_SETTLED_S = 6.0
"""Time in which batch has found out that there are callers."""


@pytest.mark.timeout(600)
async def test_batch_gives_way(triton: LocalTriton, chaos: Chaos) -> None:
    """Callers wait half as long again at most, and batch keeps three fifths of its rate."""
    url = triton.grpc_url
    assert chaos.scale is not None
    figures = await _measure(url, max(6.0, 60.0 * chaos.scale))
    chaos.tell(str(figures))
    assert figures.beside_s <= 1.5 * figures.alone_s, str(figures)
    assert figures.kept >= 0.6, str(figures)


@dataclass(frozen=True, slots=True)
class _Figures:
    """What callers wait (99 % of them less), and what batch does."""

    alone_s: float
    crowded_s: float
    beside_s: float
    rate: float
    kept: float

    def __str__(self) -> str:
        return (
            f"p99 of callers {self.alone_s * 1000:.0f} ms alone, {self.crowded_s * 1000:.0f} ms "
            f"beside batch, {self.beside_s * 1000:.0f} ms where it gives way "
            f"({self.beside_s / self.alone_s:.2f}); batch keeps {self.kept:.0%} of "
            f"{self.rate:.0f} rows/s"
        )


async def _measure(url: str, seconds: float) -> _Figures:
    """In one run: callers alone, batch alone, both without giving way, both with it."""
    alone = await _callers(url, seconds)
    async with _batch(url, gives_way=True) as batch:
        rate = await batch.rate(seconds)
    async with _batch(url, gives_way=False) as batch:
        await asyncio.sleep(_SETTLED_S)
        crowded = await _callers(url, seconds)
    async with _batch(url, gives_way=True) as batch:
        meeting = asyncio.create_task(_callers(url, _SETTLED_S + seconds))
        await asyncio.sleep(_SETTLED_S)
        kept = await batch.rate(seconds)
        beside = (await meeting)[int(_SETTLED_S * RATE) :]
    return _Figures(_p99(alone), _p99(crowded), _p99(beside), rate, kept / rate)


def _p99(took: list[float]) -> float:
    return float(np.percentile(took, 99))


class _Batch:
    """Microbatches without end, several at a time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.rows = 0

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
