"""Requests that are sent to a second server: when, how many, and what that costs the first."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from inference import errors
from inference.breaker import State
from inference.pool import Pool
from inference.tensors import InferAnswer
from tests.inference.scripted import ScriptedServer, until
from tests.inference.simulated import simulate
from tests.inference.test_pool import AS_SHIPPED, request

ROW = replace(request(), version="1")
ANSWER_S = 0.01
DEADLINE_S = 2.0


async def yes() -> bool:
    """Say that a request may be sent twice."""
    return True


async def no() -> bool:
    """Say that it may not."""
    return False


@asynccontextmanager
async def warm(servers: Sequence[ScriptedServer], **knobs: float) -> AsyncIterator[Pool]:
    """Open a pool that knows how long its servers take: 10 ms."""
    settings = AS_SHIPPED.model_copy(update={"window_initial": 8} | knobs)
    loop = asyncio.get_running_loop()
    async with Pool(servers, settings, clock=loop.time, random=lambda: 0.0) as pool:
        for server in servers:
            server.delay_s = ANSWER_S
        for _ in range(8):
            await asyncio.gather(*(pool.infer(ROW) for _ in range(4 * len(servers))))
        assert all(server.answered["faulty"] >= 16 for server in servers)
        yield pool


async def ask(pool: Pool, may: Callable[[], Awaitable[bool]] = yes) -> tuple[InferAnswer, float]:
    """Return an answer with the time it took."""
    clock = asyncio.get_running_loop().time
    began = clock()
    answer = await pool.infer(ROW, deadline_s=DEADLINE_S, hedge=may)
    return answer, clock() - began


def prefer(pool: Pool, server: ScriptedServer) -> None:
    """Have a server asked first, whatever it has shown."""
    pool.known([server])[0].ewma_s = 0.0


def pair() -> tuple[ScriptedServer, ScriptedServer]:
    """Return two servers, of which the first is asked first."""
    return ScriptedServer("a"), ScriptedServer("b")


def test_the_second_server_answers_for_one_that_hangs() -> None:
    """After as long as answers usually take. The loser is cancelled, and its breaker not told."""

    async def scenario() -> None:
        hangs, other = pair()
        async with warm([hangs, other]) as pool:
            hangs.stuck = True
            answer, took_s = await ask(pool)
            assert (answer.server, round(took_s, 6)) == ("b", round(2 * ANSWER_S, 6))
            health = pool.health()
            assert (hangs.cancelled, hangs.running, health.failures) == (1, 0, 0)
            assert (health.hedges, health.hedges_won) == (1, 1)
            assert [each.breaker for each in health.servers] == [State.CLOSED] * 2
            assert [each.outstanding for each in health.servers] == [0, 0]
            # It counts as slower, so that the next request goes elsewhere at once.
            answer, took_s = await ask(pool)
            assert (answer.server, round(took_s, 6)) == ("b", round(ANSWER_S, 6))

    simulate(scenario())


def test_an_answer_in_time_is_not_asked_for_twice() -> None:
    """And one that comes while the second is under way counts all the same."""

    async def scenario() -> None:
        first, other = pair()
        async with warm([first, other]) as pool:
            asked = len(first.asked) + len(other.asked)
            first.delay_s = other.delay_s = ANSWER_S * 0.9
            assert (await ask(pool))[0].server == "a"
            assert len(first.asked) + len(other.asked) == asked + 1
            first.delay_s, other.delay_s = ANSWER_S * 1.5, 3600.0
            prefer(pool, first)
            answer, took_s = await ask(pool)
            assert (answer.server, round(took_s, 6)) == ("a", round(ANSWER_S * 1.5, 6))
            assert (other.cancelled, pool.health().hedges_won) == (1, 0)

    simulate(scenario())


def test_what_may_not_be_repeated_is_asked_once() -> None:
    """A model of sequences would count the request twice."""

    async def scenario() -> None:
        slow, other = pair()
        async with warm([slow, other]) as pool:
            slow.delay_s = 1.5
            answer, took_s = await ask(pool, no)
            assert (answer.server, round(took_s, 6)) == ("a", round(1.5, 6))
            assert pool.health().hedges == 0

    simulate(scenario())


def test_second_requests_are_few() -> None:
    """Ten that were saved and one for each twenty requests, however slow a server has become."""

    async def scenario() -> None:
        slow, other = pair()
        async with warm([slow, other], window_initial=1, window_max=1) as pool:
            slow.delay_s = 10 * ANSWER_S
            for _ in range(300):
                await asyncio.gather(ask(pool), asyncio.sleep(0))
                prefer(pool, slow)
            assert 10 <= pool.health().hedges <= 10 + 300 * 0.05

    simulate(scenario())


def test_without_a_budget_it_is_a_retry_at_half_of_the_time() -> None:
    """Within the budget of retries; before it is too late for another server's answer."""

    async def scenario() -> None:
        hangs, other = pair()
        async with warm([hangs, other], hedge_fraction=0.0, retry_budget_floor=1) as pool:
            hangs.stuck = True
            other.loaded.clear()
            await pool.ready("faulty", "1")
            asked = [asyncio.create_task(ask(pool)) for _ in range(3)]
            await until(lambda: hangs.running == 3)
            other.loaded.add("faulty")
            await pool.ready("faulty", "1")
            ends = await asyncio.gather(*asked)
            assert [end[0].server for end in ends] == ["b"] * 3
            took = sorted(end[1] for end in ends)
            turns_s = [DEADLINE_S / 2 + ANSWER_S * turn for turn in (1, 2, 3)]
            assert took == pytest.approx(turns_s)

    simulate(scenario())


def test_nobody_is_asked_who_has_something_against_it_or_whom_others_wait_for() -> None:
    """An open breaker, no room: the request stays where it is."""

    async def scenario() -> None:
        slow, other = pair()
        async with warm([slow, other], window_initial=1, window_max=1) as pool:
            slow.delay_s, other.gate = 1.0, asyncio.Event()
            first = asyncio.create_task(ask(pool))
            await until(lambda: slow.running == 1)
            occupied = asyncio.create_task(pool.infer(ROW))
            await until(lambda: other.running == 1)
            answer, took_s = await first
            assert (answer.server, round(took_s, 6)) == ("a", round(1.0, 6))
            assert pool.health().hedges == 0
            other.gate.set()
            await occupied

    simulate(scenario())


def test_a_failure_is_made_good_by_the_second_request() -> None:
    """That is under way already, and no retry is made."""

    async def scenario() -> None:
        fails, other = pair()
        async with warm([fails, other]) as pool:
            fails.delay_s, other.delay_s = 3 * ANSWER_S, 4 * ANSWER_S
            fails.faults.append(errors.ServerFault("the kernel failed", server="a"))
            answer, took_s = await ask(pool)
            assert (answer.server, round(took_s, 6)) == ("b", round(5 * ANSWER_S, 6))
            assert (pool.health().retries, pool.health().failures) == (0, 1)

    simulate(scenario())


def test_a_caller_who_goes_takes_both_requests_with_it() -> None:
    """Nothing is left in flight."""

    async def scenario() -> None:
        first, other = pair()
        async with warm([first, other]) as pool:
            first.stuck = other.stuck = True
            asked = asyncio.create_task(ask(pool))
            await until(lambda: first.running == other.running == 1)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            assert (first.cancelled, other.cancelled) == (1, 1)
            assert [each.outstanding for each in pool.health().servers] == [0, 0]

    simulate(scenario())
