"""Let those who ask for the same at once share one read."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedReads(Generic[T]):
    """Reads that are shared by whoever asks while one is under way.

    A read that had begun when somebody asked may miss what was committed in between, so those
    who come while one is under way share the next: however many ask at once, two reads are enough,
    and nobody gets an answer that is older than the question.
    """

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Event] = {}
        self._next: dict[Hashable, asyncio.Task[T]] = {}

    async def read(self, key: Hashable, load: Callable[[], Awaitable[T]]) -> T:
        """Return what `load` returns, called after this was; raises what it raises."""
        following = self._next.get(key)
        if following is None:
            running = self._running.get(key)
            if running is None:
                return await self._run(key, load)
            following = asyncio.create_task(self._follow(running, key, load))
            following.add_done_callback(_seen)
            self._next[key] = following
        # Whoever gives up waiting must not take the read from the others.
        return await asyncio.shield(following)

    async def _follow(
        self, running: asyncio.Event, key: Hashable, load: Callable[[], Awaitable[T]]
    ) -> T:
        await running.wait()
        del self._next[key]
        return await self._run(key, load)

    async def _run(self, key: Hashable, load: Callable[[], Awaitable[T]]) -> T:
        ended = self._running[key] = asyncio.Event()
        try:
            return await load()
        finally:
            if self._running.get(key) is ended:
                del self._running[key]
            ended.set()


def _seen(read: "asyncio.Task[object]") -> None:
    """Take note of a failure that nobody may be waiting for any more."""
    if not read.cancelled():
        read.exception()
