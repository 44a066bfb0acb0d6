"""Servers that die or hang under load: what callers notice."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from benchmarks.online.client import Client
from benchmarks.online.load import percentile
from benchmarks.online.site import running_api
from cli.stack.triton import LocalTriton
from tests.chaos.online.conftest import (
    Seen,
    Terms,
    kill_and_start,
    load,
    register,
    stop_and_go,
)
from tests.chaos.seeds import Chaos

pytestmark = [pytest.mark.triton, pytest.mark.chaos]

LONG_PAUSE_S, SHORT_PAUSE_S = 30.0, 6.0
AWAY_S = 3.0
SLACK_S = 0.2

Fault = Callable[[LocalTriton], Awaitable[None]]


@pytest.mark.timeout(1200)
async def test_servers_are_killed(tmp_path: Path, whole: list[LocalTriton], chaos: Chaos) -> None:
    """One of three after the other: 99.9 % are answered, none of the answers is wrong."""

    async def kill(server: LocalTriton) -> None:
        await kill_and_start(server, away_s=AWAY_S)

    seen = await _under(kill, tmp_path, whole, chaos)
    chaos.tell(str(seen))
    assert seen.wrong == 0, str(seen)
    assert seen.failed <= len(seen.samples) * 0.001, str(seen)


@pytest.mark.timeout(1200)
async def test_servers_hang(tmp_path: Path, whole: list[LocalTriton], chaos: Chaos) -> None:
    """One of three after the other: 99.5 % are answered, and nobody waits past the deadline."""

    async def freeze(server: LocalTriton) -> None:
        await stop_and_go(server, away_s=AWAY_S)

    seen = await _under(freeze, tmp_path, whole, chaos)
    chaos.tell(str(seen))
    assert seen.wrong == 0, str(seen)
    assert seen.failed <= len(seen.samples) * 0.005, str(seen)
    assert percentile(seen.samples, 0.99) < Terms.of(chaos).deadline_s + SLACK_S, str(seen)


async def _under(fault: Fault, folder: Path, servers: list[LocalTriton], chaos: Chaos) -> Seen:
    """Load the API while one server after the other has the fault."""
    random = chaos.random()
    faults = chaos.count(20, sample=1)
    pause_s = SHORT_PAUSE_S if chaos.scale is None else LONG_PAUSE_S
    terms = Terms.of(chaos)
    register(folder)
    urls = [server.grpc_url for server in servers]
    with running_api(folder, urls, more=terms.quick) as api:
        client = Client(api.port)
        async with asyncio.TaskGroup() as group:
            loading = group.create_task(
                load(client, random.randrange(1000), terms, seconds=faults * pause_s)
            )
            group.create_task(_faults(fault, servers, faults, pause_s, random))
        client.close()
        return loading.result()


async def _faults(
    fault: Fault, servers: list[LocalTriton], count: int, pause_s: float, random: Random
) -> None:
    for _ in range(count):
        begun = asyncio.get_running_loop().time()
        await asyncio.sleep(random.uniform(0.5, 1.5))
        await fault(random.choice(servers))
        left_s = begun + pause_s - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, left_s))
