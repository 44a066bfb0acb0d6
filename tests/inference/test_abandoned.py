"""Check that calls nobody waits for end by themselves, or are ended."""

import asyncio

import pytest

from inference.abandoned import AbandonedCalls


async def abandon(calls: AbandonedCalls, answer: asyncio.Event, ended: list[str]) -> None:
    """Ask for something that is answered then, and be cancelled at once."""

    async def call() -> None:
        try:
            await answer.wait()
            ended.append("answered")
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    asking = asyncio.create_task(calls.answer(call()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_an_answer_that_is_near_is_awaited() -> None:
    """The call ends by itself, though nobody waits."""
    calls, ended, answer = AbandonedCalls(grace_s=60), list[str](), asyncio.Event()
    await abandon(calls, answer, ended)
    assert ended == []
    answer.set()
    await calls.wait()
    assert ended == ["answered"]


async def test_a_long_call_is_cancelled() -> None:
    """Its server is not kept busy for nobody."""
    calls, ended = AbandonedCalls(grace_s=0.05), list[str]()
    await abandon(calls, asyncio.Event(), ended)
    await calls.wait()
    assert ended == ["cancelled"]


async def test_an_error_that_interests_nobody_is_silent() -> None:
    """No task is left with an exception that was never looked at."""
    calls = AbandonedCalls(grace_s=30)

    async def fail() -> None:
        await asyncio.sleep(0.02)
        raise ValueError("too late")

    asking = asyncio.create_task(calls.answer(fail()))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await calls.wait()


async def test_an_error_reaches_who_still_waits() -> None:
    """As it was raised."""

    async def fail() -> None:
        raise ValueError("in time")

    with pytest.raises(ValueError, match="in time"):
        await AbandonedCalls(grace_s=1).answer(fail())
