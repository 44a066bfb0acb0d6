"""Measure what a request pays when its server dies or hangs while it works on it."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cli.stack.process import free_ports
from cli.stack.triton import LocalTriton, TritonPorts
from inference.breaker import State
from inference.pool import Pool, open_pool
from inference.settings import InferenceSettings
from inference.tensors import InferRequest
from tests.chaos.jobs.witness import MODEL, MODELS, Noted, Witness
from tests.chaos.seeds import Chaos

pytestmark = [pytest.mark.triton, pytest.mark.chaos]

WORK_S = 1.0
"""Time that the model takes for a request."""
ATTEMPT_S = 3.0
"""Longest wait for one answer in these tests."""
PROBE_S = 1.0
"""Time between two probes: the default."""


@pytest.fixture(scope="module")
def other(witnessed: LocalTriton, triton_env: Path, servers_dir: Path) -> Iterator[LocalTriton]:
    """A second server like `witnessed`, as mortal."""
    ports = TritonPorts(*free_ports(3))
    with LocalTriton(
        MODELS, triton_env, models=[MODEL], ports=ports, state_dir=servers_dir, grace_s=0.5
    ) as server:
        yield server


def pool_of(*servers: LocalTriton) -> Pool:
    """Return a pool that loses patience sooner than in production."""
    urls = tuple(server.grpc_url for server in servers)
    return open_pool(InferenceSettings(triton_urls=urls, attempt_timeout_s=ATTEMPT_S))


async def ask(pool: Pool, number: int) -> None:
    """Send a request; its answer must be right."""
    x = np.array([[number, 1]], np.float32)
    answer = await pool.infer(InferRequest(MODEL, "1", {"x": x}, ("y",), 1))
    assert answer.outputs["y"].tolist() == [[number + 2]]


async def arrival(witness: Witness, start: int) -> Noted:
    """Wait until a server has a request."""
    while not (noted := witness.noted(start)):
        await asyncio.sleep(0.005)
    return noted[0]


async def shift(
    pool: Pool, witness: Witness, number: int, after_s: float, blow: signal.Signals
) -> tuple[float, int]:
    """Hit the server that works on a request, `after_s` later.

    Returns the seconds from the blow, or from the request's start if the server only stops, until
    another server has the request, and which process was hit.
    """
    start, started_at = witness.mark(), time.monotonic()
    asked = asyncio.create_task(ask(pool, number))
    first = await arrival(witness, start)
    await asyncio.sleep(after_s)
    hit_at = time.monotonic() if blow is signal.SIGKILL else started_at
    os.kill(first.server, blow)
    await asked
    _, second = witness.noted(start)
    assert second.server != first.server
    return second.at_s - hit_at, first.server


async def test_a_killed_server(
    witnessed: LocalTriton, other: LocalTriton, witness: Witness, chaos: Chaos
) -> None:
    """SIGKILL in the middle of a request: another server has it within 100 ms."""
    chance, delays = chaos.random(), []
    witness.order(pause_s=WORK_S)
    for number in range(chaos.count(10, sample=1)):
        async with pool_of(witnessed, other) as pool:
            moment = chance.uniform(0.02, WORK_S / 2)
            delay, killed = await shift(pool, witness, number, moment, signal.SIGKILL)
        delays.append(delay)
        (dead,) = (server for server in (witnessed, other) if server.pid == killed)
        dead.stop()
        dead.start()
    report(chaos, "SIGKILL", delays, bound_s=0.1)


async def test_a_stopped_server(
    witnessed: LocalTriton, other: LocalTriton, witness: Witness, chaos: Chaos
) -> None:
    """SIGSTOP in the middle of a request: another has it 100 ms after the wait for an answer."""
    chance, delays = chaos.random(), []
    witness.order(pause_s=WORK_S)
    for number in range(chaos.count(10, sample=1)):
        async with pool_of(witnessed, other) as pool:
            moment = chance.uniform(0.02, WORK_S / 2)
            delay, stopped = await shift(pool, witness, number, moment, signal.SIGSTOP)
            os.kill(stopped, signal.SIGCONT)
        delays.append(delay)
    report(chaos, "SIGSTOP", delays, bound_s=ATTEMPT_S + 0.1)


async def test_a_server_that_was_away_for_a_minute(
    witnessed: LocalTriton, other: LocalTriton, witness: Witness, chaos: Chaos
) -> None:
    """It is asked again within a probe interval and two seconds of being ready."""
    async with pool_of(witnessed, other) as pool:
        pool.watch(MODEL, "1")
        os.kill(witnessed.pid, signal.SIGKILL)
        witnessed.stop()
        ends_at = time.monotonic() + chaos.count(60, sample=2)
        while time.monotonic() < ends_at or pool.health().servers[0].breaker is State.CLOSED:
            await ask(pool, 1)
            await asyncio.sleep(0.02)
        await asyncio.to_thread(witnessed.start)
        ready_at = time.monotonic()
        while pool.health().servers[0].breaker is not State.CLOSED:
            await ask(pool, 1)
        back_s = time.monotonic() - ready_at
    report(chaos, "restart", [back_s], bound_s=PROBE_S + 2)


def report(chaos: Chaos, event: str, delays: list[float], *, bound_s: float) -> None:
    """Tell the delays; hold them to their bound where the machine is ours alone."""
    chaos.tell(
        f"after {event}, {len(delays)} times: median {np.median(delays) * 1000:.0f} ms, "
        f"longest {max(delays) * 1000:.0f} ms, of {bound_s * 1000:.0f} ms allowed"
    )
    assert chaos.scale is None or max(delays) < bound_s
