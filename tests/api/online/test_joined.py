"""Questions that are shared."""

import asyncio

import pytest

from api.online.joined import Joined


async def test_those_who_ask_at_once_share_one_question() -> None:
    """Who asks later asks anew."""
    subject, asked, gate = Joined[int](), 0, asyncio.Event()

    async def question() -> int:
        nonlocal asked
        asked += 1
        await gate.wait()
        return asked

    herd = [asyncio.create_task(subject.ask("k", question)) for _ in range(10)]
    other = asyncio.create_task(subject.ask("other", question))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asked == 2
    gate.set()
    assert await asyncio.gather(*herd, other) == [2] * 11
    assert await subject.ask("k", question) == 3


async def test_who_gives_up_takes_nothing_from_the_others() -> None:
    """The last one to give up ends the question."""
    subject, ended = Joined[str](), asyncio.Event()

    async def question() -> str:
        try:
            await asyncio.Event().wait()
            return "never"
        finally:
            ended.set()

    first, second = (asyncio.create_task(subject.ask("k", question)) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert not ended.is_set()
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    await ended.wait()


async def test_all_hear_that_it_failed() -> None:
    """And the next one tries again."""
    subject = Joined[int]()

    async def fails() -> int:
        raise ValueError("no")

    ends = await asyncio.gather(
        *(subject.ask("k", fails) for _ in range(3)), return_exceptions=True
    )
    assert [str(end) for end in ends] == ["no"] * 3
    with pytest.raises(ValueError, match="no"):
        await subject.ask("k", fails)
