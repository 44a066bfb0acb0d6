"""One server of two stalls, now this, now that: what a second request saves, what it costs."""

import asyncio
import os
import signal
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest

from cli.stack.triton import LocalTriton
from inference.pool import Pool, open_pool
from inference.settings import CallersInferenceSettings
from inference.tensors import InferRequest
from tests.chaos.online.conftest import FEATURES, MODEL
from tests.chaos.seeds import Chaos

pytestmark = [
    pytest.mark.triton,
    pytest.mark.chaos,
    pytest.mark.long_form(
        "how long something takes is all it shows; tests/inference/test_hedging.py has "
        "what is decided"
    ),
]

RATE = 60.0
STALL_S = 0.2
PAUSE_S = 0.8
DEADLINE_S = 5.0
TURN_S = 4.0


@pytest.mark.timeout(600)
async def test_servers_stall(whole: list[LocalTriton], chaos: Chaos) -> None:
    """By turns with second requests and without: the slowest are sooner, for few more requests.

    One that always stalls is soon left alone by the router, and nobody has to be asked twice.
    """
    servers = whole[:2]
    settings = CallersInferenceSettings(triton_urls=tuple(each.grpc_url for each in servers))
    random, turns = chaos.random(), chaos.count(10, sample=1)
    took: dict[bool, list[float]] = {False: [], True: []}
    # Each has a pool of its own: without second requests what is usual is soon the stall.
    async with open_pool(settings) as plain, open_pool(settings) as hedging:
        pools = {False: plain, True: hedging}
        for pool in pools.values():
            pool.watch_servers()
            await _turn(pool, hedged=False, seconds=1.0)
        for number in range(2 * turns):
            hedged = number % 2 == 1
            stalls = asyncio.create_task(_stall(servers, random))
            took[hedged] += await _turn(pools[hedged], hedged=hedged, seconds=TURN_S)
            stalls.cancel()
            await asyncio.gather(stalls, return_exceptions=True)
        health = hedging.health()
    without_ms, with_ms = (float(np.percentile(took[each], 99) * 1000) for each in (False, True))
    more = health.hedges / len(took[True])
    told = (
        f"p99 {without_ms:.0f} ms without, {with_ms:.0f} ms with second requests "
        f"({with_ms / without_ms:.2f}); {more:.1%} more requests, {health.hedges_won} of "
        f"{health.hedges} answered first"
    )
    chaos.tell(told)
    assert health.failures == 0, told
    assert health.hedges <= settings.hedge_burst + settings.hedge_fraction * len(took[True]), told
    assert with_ms < without_ms / 2, told


async def _turn(pool: Pool, *, hedged: bool, seconds: float) -> list[float]:
    """Ask at a constant rate; return how long each answer took, from when it was to be asked."""
    loop, took = asyncio.get_running_loop(), list[float]()
    features = np.random.default_rng(7).random((1, FEATURES), dtype=np.float32)
    request = InferRequest(MODEL, "1", {"features": features}, ("score",), 1)
    begun = loop.time()

    async def one(intended: float) -> None:
        await pool.infer(request, deadline_s=DEADLINE_S, hedge=_yes if hedged else None)
        took.append(loop.time() - begun - intended)

    async with asyncio.TaskGroup() as group:
        for number in range(int(RATE * seconds)):
            intended = number / RATE
            await asyncio.sleep(max(0.0, begun + intended - loop.time()))
            group.create_task(one(intended))
    return took


async def _stall(servers: Sequence[LocalTriton], random: Random) -> None:
    """Stop one of them for a moment, again and again."""
    while True:
        await asyncio.sleep(random.uniform(0.5, 1.5) * PAUSE_S)
        pid = random.choice(servers).pid
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(STALL_S)
        finally:
            os.kill(pid, signal.SIGCONT)


async def _yes() -> bool:
    return True
