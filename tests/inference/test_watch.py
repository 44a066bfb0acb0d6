"""Probes: servers that answer none are passed over, with the settings as they ship."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from inference import errors
from inference.breaker import State
from inference.pool import Pool
from inference.settings import InferenceSettings
from inference.tensors import InferAnswer, InferRequest
from tests.inference.scripted import ScriptedServer
from tests.inference.simulated import simulate

SETTINGS = InferenceSettings(triton_urls=("unused",))
ROW = InferRequest("faulty", "1", {"x": np.ones((1, 1), np.float32)}, ("y",), 1)
PROBE_S = SETTINGS.probe_interval_s + SETTINGS.probe_timeout_s + 0.1
"""Longest time until a probe is missed."""


def watched(servers: Sequence[ScriptedServer]) -> Pool:
    """Return a pool that probes the servers once it is entered."""
    pool = Pool(servers, SETTINGS, clock=asyncio.get_running_loop().time)
    pool.watch("faulty", "1")
    return pool


def test_a_silent_server_gets_nothing_after_one_missed_probe() -> None:
    """No request finds out, though its breaker is closed; heard again, it is asked again."""

    async def run() -> None:
        silent, other = ScriptedServer("a"), ScriptedServer("b")
        async with watched([silent, other]) as pool:
            await asyncio.gather(*(pool.infer(ROW) for _ in range(8)))
            asked = len(silent.asked)
            silent.silent = True
            await asyncio.sleep(PROBE_S)
            assert pool.health().servers[0].breaker is State.CLOSED
            await asyncio.gather(*(pool.infer(ROW) for _ in range(8)))
            assert len(silent.asked) == asked
            silent.silent = False
            await asyncio.sleep(2 * PROBE_S)
            await asyncio.gather(*(pool.infer(ROW) for _ in range(8)))
            assert len(silent.asked) > asked

    simulate(run())


def test_what_a_silent_server_has_in_flight_is_answered_elsewhere() -> None:
    """After two missed probes, long before the wait for an answer is over."""

    async def run() -> None:
        silent, other = ScriptedServer("a"), ScriptedServer("b")
        clock = asyncio.get_running_loop().time
        async with watched([silent, other]) as pool:
            silent.delay_s = other.delay_s = 0.5
            asked = [asyncio.create_task(pool.infer(ROW)) for _ in range(8)]
            await asyncio.sleep(0.1)
            assert silent.running == 4
            silent.silent, began = True, clock()
            answers = await asyncio.gather(*asked)
            assert clock() - began < 2 * PROBE_S + 1.1 < SETTINGS.attempt_timeout_s
            assert {answer.server for answer in answers} == {"b"}
            assert (silent.running, pool.health().servers[0].outstanding) == (0, 0)

    simulate(run())


def test_the_last_server_keeps_what_it_has_in_flight() -> None:
    """There is nowhere to go: when it is heard again it answers."""

    async def run() -> list[InferAnswer]:
        only = ScriptedServer("a")
        async with watched([only]) as pool:
            only.silent = True
            asked = [asyncio.create_task(pool.infer(ROW)) for _ in range(4)]
            await asyncio.sleep(0.8 * SETTINGS.attempt_timeout_s)
            with pytest.raises(errors.PoolUnavailable):
                await pool.infer(ROW)
            only.silent = False
            return await asyncio.gather(*asked)

    assert [answer.server for answer in simulate(run())] == ["a"] * 4


def test_when_no_server_is_heard_all_are_asked() -> None:
    """One of them may answer: it is not known which are gone for good."""

    async def run() -> None:
        silent, gone = ScriptedServer("a"), ScriptedServer("b")
        async with watched([silent, gone]) as pool:
            await asyncio.sleep(1)
            silent.silent = True
            await asyncio.sleep(PROBE_S)
            gone.away = True
            await asyncio.sleep(PROBE_S)
            asked = asyncio.create_task(pool.infer(ROW))
            await asyncio.sleep(3)
            silent.silent = False
            assert (await asked).server == "a"

    simulate(run())


def test_a_server_of_which_nobody_asks_again_is_not_passed_over() -> None:
    """Waiting for a model is no watch: nothing would take the mark back."""

    async def run() -> None:
        late, other = ScriptedServer("a"), ScriptedServer("b")
        async with Pool([late, other], SETTINGS, clock=asyncio.get_running_loop().time) as pool:
            late.silent = True
            assert await pool.ready("faulty", "1")
            late.silent = False
            await asyncio.gather(*(pool.infer(ROW) for _ in range(8)))
            assert late.asked

    simulate(run())
