"""Check that those who ask at once share reads, and never get an old answer."""

import asyncio

import pytest

from registry.shared_reads import SharedReads


class Source:
    """A value that changes, read slowly; what is read is what it was when the read began."""

    def __init__(self) -> None:
        self.value = 0
        self.reads = 0
        self.slow: asyncio.Event | None = None

    async def read(self) -> int:
        self.reads += 1
        found = self.value
        if self.slow is not None:
            await self.slow.wait()
        await asyncio.sleep(0)
        return found


async def test_five_hundred_cause_two_reads() -> None:
    """The first reads at once, all others share one that begins when that has ended."""
    source, shared = Source(), SharedReads[int]()
    answers = await asyncio.gather(*(shared.read("k", source.read) for _ in range(500)))
    assert (answers, source.reads) == ([0] * 500, 2)
    assert await shared.read("k", source.read) == 0
    assert source.reads == 3


async def test_keys_do_not_wait_for_each_other() -> None:
    """A slow read of one key holds nobody who asks for another."""
    source, shared = Source(), SharedReads[int]()
    source.slow = asyncio.Event()
    waiting = asyncio.create_task(shared.read("a", source.read))
    await asyncio.sleep(0)
    slow, source.slow = source.slow, None
    assert await shared.read("b", source.read) == 0
    slow.set()
    assert await waiting == 0


async def test_an_answer_is_not_older_than_the_question() -> None:
    """Who asks after a change gets it, though a read from before is under way."""
    source, shared = Source(), SharedReads[int]()
    source.slow = asyncio.Event()
    early = asyncio.create_task(shared.read("k", source.read))
    await asyncio.sleep(0)
    source.value = 1
    late = [asyncio.create_task(shared.read("k", source.read)) for _ in range(3)]
    await asyncio.sleep(0)
    source.slow.set()
    assert await early == 0
    assert await asyncio.gather(*late) == [1, 1, 1]


async def test_who_gives_up_takes_nothing_from_others() -> None:
    """Cancelling the first, or one of those who share, leaves the rest their answer."""
    source, shared = Source(), SharedReads[int]()
    source.slow = asyncio.Event()
    tasks = [asyncio.create_task(shared.read("k", source.read)) for _ in range(4)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[1].cancel()
    await asyncio.sleep(0)
    source.slow.set()
    assert await asyncio.gather(*tasks[2:]) == [0, 0]
    assert source.reads == 2


async def test_a_failure_is_everyones() -> None:
    """Whoever shares a read that fails gets its error; the next read is tried anew."""
    shared = SharedReads[int]()
    calls = 0

    async def fail() -> int:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        raise KeyError(calls)

    answers = await asyncio.gather(
        *(shared.read("k", fail) for _ in range(3)), return_exceptions=True
    )
    assert [repr(answer) for answer in answers] == ["KeyError(1)", "KeyError(2)", "KeyError(2)"]
    with pytest.raises(KeyError, match="3"):
        await shared.read("k", fail)
