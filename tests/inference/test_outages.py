"""Pools of real Tritons of which one dies, hangs or loses its model under load."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from cli.stack.triton import LocalTriton
from inference import errors
from inference.breaker import State
from inference.pool import Pool, open_pool
from inference.settings import InferenceSettings
from inference.tensors import InferRequest
from tests.conftest import MODELS, TritonFactory
from tests.inference.scripted import until

EXITS = -11


@pytest.fixture(scope="module")
def steady(triton_env: Path, servers_dir: Path) -> Iterator[LocalTriton]:
    """A server that every test leaves as it found it."""
    with LocalTriton(MODELS, triton_env, models=["faulty"], state_dir=servers_dir) as server:
        yield server


@pytest.fixture
def victim(triton_factory: TritonFactory) -> LocalTriton:
    """A server that the test may end."""
    return triton_factory(models=["faulty"])


def pool_of(*tritons: LocalTriton, **knobs: float) -> Pool:
    """Return a pool that loses patience sooner than in production, not with a busy machine."""
    quick = {"attempt_timeout_s": 5.0, "probe_timeout_s": 2.0, "probe_interval_s": 0.2} | knobs
    settings = InferenceSettings(triton_urls=tuple(each.grpc_url for each in tritons))
    return open_pool(settings.model_copy(update=quick))


def numbers(*values: float) -> InferRequest:
    """Return rows for `faulty`."""
    x = np.array(values, dtype=np.float32).reshape(-1, 1)
    return InferRequest("faulty", "1", {"x": x}, ("y",), len(values))


async def load(pool: Pool, *, requests: int, at_once: int = 8) -> None:
    """Send requests, all of which must be answered."""
    room = asyncio.Semaphore(at_once)

    async def ask(number: int) -> None:
        async with room:
            answer = await pool.infer(numbers(number))
            assert answer.outputs["y"].item() == 2 * number

    await asyncio.gather(*(ask(number) for number in range(requests)))


async def breaker_is(pool: Pool, server: int, state: State) -> None:
    """Wait until a breaker has a state, however slow the machine is; pytest's limit ends it."""
    await until(lambda: pool.health().servers[server].breaker is state)


@contextmanager
def stopped(triton: LocalTriton) -> Iterator[None]:
    """Stop a server's process, and let it go on."""
    os.kill(triton.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(triton.pid, signal.SIGCONT)


async def test_a_killed_server_costs_no_request_and_is_used_again_when_it_is_back(
    victim: LocalTriton, steady: LocalTriton, triton_factory: TritonFactory
) -> None:
    """SIGKILL under load; restarted on its ports, it serves again."""
    async with pool_of(victim, steady, attempt_timeout_s=60.0) as pool:
        pool.watch("faulty", "1")
        await load(pool, requests=100)
        under_load = asyncio.create_task(load(pool, requests=1500))
        await asyncio.sleep(0.2)
        os.kill(victim.pid, signal.SIGKILL)
        await under_load
        await breaker_is(pool, 0, State.OPEN)
        victim.stop()
        again = triton_factory(models=["faulty"], ports=victim.ports)
        while pool.health().servers[0].breaker is not State.CLOSED:
            await load(pool, requests=5)
        assert again.ports == victim.ports


async def test_a_stopped_server_costs_one_time_out_each_to_few_requests(
    victim: LocalTriton, steady: LocalTriton
) -> None:
    """SIGSTOP: connections stand, nothing answers. After the first, one at a time is risked."""
    async with pool_of(victim, steady) as pool:
        await load(pool, requests=100)
        with stopped(victim):
            await load(pool, requests=600)
            assert pool.health().failures <= 10


async def test_what_a_stopped_server_has_in_flight_is_asked_for_elsewhere(
    victim: LocalTriton, steady: LocalTriton
) -> None:
    """SIGSTOP under load: two missed probes end the waiting, which else would last an hour."""
    async with pool_of(victim, steady, attempt_timeout_s=3600.0, request_deadline_s=3600.0) as pool:
        pool.watch("faulty", "1")
        await load(pool, requests=100)
        under_load = asyncio.create_task(load(pool, requests=1500))
        await asyncio.sleep(0.1)
        with stopped(victim):
            await under_load


async def test_a_stopped_server_that_goes_on_is_used_again(victim: LocalTriton) -> None:
    """Its breaker opens while it is stopped, a probe closes it after SIGCONT."""
    async with pool_of(victim, breaker_open_s=300.0) as pool:
        pool.watch("faulty", "1")
        await load(pool, requests=10)
        with stopped(victim):
            lost = await asyncio.gather(
                *(pool.infer(numbers(1)) for _ in range(8)), return_exceptions=True
            )
            assert {type(each) for each in lost} <= {
                errors.DeadlineExceeded,
                errors.PoolUnavailable,
            }
            await breaker_is(pool, 0, State.OPEN)
            await asyncio.sleep(1.0)
        await breaker_is(pool, 0, State.HALF_OPEN)
        await load(pool, requests=50)
        assert pool.health().servers[0].breaker is State.CLOSED


async def test_when_the_only_server_is_gone_the_pool_says_so_at_once(
    victim: LocalTriton,
) -> None:
    """Not after one more time-out."""
    async with pool_of(victim, breaker_open_s=300.0) as pool:
        await load(pool, requests=10)
        os.kill(victim.pid, signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(errors.TransientError):
                await pool.infer(numbers(1))
        failures = pool.health().failures
        with pytest.raises(errors.PoolUnavailable) as caught:
            await pool.infer(numbers(1))
        assert pool.health().failures == failures, "nothing was sent"
        assert 0 < caught.value.retry_after_s <= 300.0


async def test_an_unloaded_model_is_served_by_the_other_server(
    victim: LocalTriton, steady: LocalTriton
) -> None:
    """Both servers stay live; readiness is the model's. Unloaded on both, it is not ready."""
    async with pool_of(victim, steady) as pool:
        under_load = asyncio.create_task(load(pool, requests=600))
        await asyncio.sleep(0.1)
        await pool.servers[0].unload("faulty")
        await under_load
        health = pool.health()
        assert [server.breaker for server in health.servers] == [State.CLOSED, State.CLOSED]
        await pool.servers[1].unload("faulty")
        with pytest.raises(errors.ModelNotReady):
            await pool.infer(numbers(1))
        await pool.servers[1].load("faulty")
        assert await pool.ready("faulty", "1", wait_s=60)
        await load(pool, requests=10)


async def test_a_model_that_died_is_as_a_server_that_died(
    victim: LocalTriton, steady: LocalTriton
) -> None:
    """Its process is gone, the server says ready: no row is set aside for that."""
    async with pool_of(victim, steady, attempt_timeout_s=60.0) as pool:
        with pytest.raises(errors.ServerUnreachable, match="not healthy"):
            await pool.servers[0].infer(numbers(EXITS), timeout_s=60)
        assert await pool.servers[0].model_ready("faulty", "1")
        await load(pool, requests=200)
        assert 1 <= pool.health().failures <= 8


async def test_a_server_that_is_shut_down_in_good_order_costs_no_request(
    victim: LocalTriton, steady: LocalTriton
) -> None:
    """SIGTERM: Triton unloads its models while requests still arrive."""
    async with pool_of(victim, steady) as pool:
        under_load = asyncio.create_task(load(pool, requests=1000))
        await asyncio.sleep(0.2)
        os.kill(victim.pid, signal.SIGTERM)
        await under_load
