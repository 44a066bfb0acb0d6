"""Turns at sending a large body."""

import asyncio

import pytest

from api.online.port import PoolBusy
from api.v2.body_turns import BodyTurns


async def hold(turns: BodyTurns, size: int, log: list[str], name: str, end: asyncio.Event) -> None:
    """Take a turn until `end`, noting its begin."""
    async with turns.turn(size) as turn:
        turn.body_came()
        log.append(name)
        await end.wait()


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_bodies_beyond_the_bound_wait_in_their_order() -> None:
    """Two of three fit; the third, and a small one behind it, come in as the others end."""
    turns, log = BodyTurns(max_bytes=10, wait_s=60), list[str]()
    ends = {name: asyncio.Event() for name in "abcd"}
    async with asyncio.TaskGroup() as group:
        for name, size in (("a", 5), ("b", 5), ("c", 6), ("d", 1)):
            group.create_task(hold(turns, size, log, name, ends[name]))
        await settle()
        assert log == ["a", "b"]
        ends["a"].set()
        await settle()
        assert log == ["a", "b"]
        ends["b"].set()
        await settle()
        assert log == ["a", "b", "c", "d"]
        ends["c"].set()
        ends["d"].set()


async def test_a_body_larger_than_the_bound_comes_alone() -> None:
    """Else it would wait for ever."""
    turns, log, end = BodyTurns(max_bytes=10, wait_s=60), list[str](), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(hold(turns, 11, log, "large", end))
        group.create_task(hold(turns, 1, log, "behind", end))
        await settle()
        assert log == ["large"]
        end.set()
    assert log == ["large", "behind"]


async def test_who_waits_for_too_long_is_refused_and_holds_nothing() -> None:
    """The next one has the room that the refused one would have had."""
    turns, log, end = BodyTurns(max_bytes=10, wait_s=0.01), list[str](), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(hold(turns, 6, log, "first", end))
        await settle()
        with pytest.raises(PoolBusy):
            await hold(turns, 6, log, "refused", end)
        group.create_task(hold(turns, 4, log, "second", end))
        await settle()
        assert log == ["first", "second"]
        end.set()


async def test_a_cancelled_wait_holds_up_nobody() -> None:
    """Whoever stood behind it comes in at once where there is room."""
    turns, log, end = BodyTurns(max_bytes=10, wait_s=60), list[str](), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(hold(turns, 6, log, "first", end))
        gone = group.create_task(hold(turns, 6, log, "gone", end))
        group.create_task(hold(turns, 4, log, "behind", end))
        await settle()
        assert log == ["first"]
        gone.cancel()
        await settle()
        assert log == ["first", "behind"]
        end.set()


async def test_a_turn_that_is_given_and_cancelled_at_once_is_given_back() -> None:
    """The room would be lost for ever."""
    turns, log = BodyTurns(max_bytes=10, wait_s=60), list[str]()
    first_end, end = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(hold(turns, 10, log, "first", first_end))
        gone = group.create_task(hold(turns, 10, log, "gone", end))
        await settle()
        first_end.set()
        while len(log) < 2 and turns.waiting:
            await asyncio.sleep(0)
        gone.cancel()
        group.create_task(hold(turns, 10, log, "next", end))
        await settle()
        end.set()
    assert log[-1] == "next"


async def test_a_slow_body_loses_its_turn() -> None:
    """Another one comes in while it still arrives."""
    turns, log = BodyTurns(max_bytes=10, wait_s=60, prompt_s=0.01), list[str]()
    end = asyncio.Event()
    end.set()
    async with turns.turn(10):
        await hold(turns, 10, log, "behind", end)
    assert log == ["behind"]
    async with turns.turn(10):
        log.append("again")
    assert log == ["behind", "again"]


async def test_nobody_waits_beyond_the_callers_own_time() -> None:
    """The caller has gone by then."""
    turns = BodyTurns(max_bytes=10, wait_s=3600)
    async with turns.turn(10):
        with pytest.raises(PoolBusy, match=r"0\.01 s"):
            async with turns.turn(1, within_s=0.01):
                raise AssertionError
