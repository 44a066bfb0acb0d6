"""Let those who ask for the same at once share one question."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Asked(Generic[T]):
    """A question that is under way."""

    task: asyncio.Task[T]
    """What asks it."""
    waiting: int = 0
    """Those who wait for its answer."""


class Joined(Generic[T]):
    """Questions that are under way; each goes on while anybody waits for its answer.

    Whoever gives up waiting, or is cancelled, takes nothing from the others.
    """

    def __init__(self) -> None:
        self._asked: dict[Hashable, _Asked[T]] = {}

    async def ask(self, key: Hashable, question: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the answer to a question that is under way, or to this one; raises as it does."""
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = _Asked(asyncio.create_task(question()))
            asked.task.add_done_callback(lambda task: self._end(key, task))
        asked.waiting += 1
        try:
            return await asyncio.shield(asked.task)
        finally:
            asked.waiting -= 1
            if not asked.waiting:
                asked.task.cancel()
                self._end(key, asked.task)

    def _end(self, key: Hashable, task: asyncio.Task[T]) -> None:
        if key in self._asked and self._asked[key].task is task:
            del self._asked[key]
        if task.done() and not task.cancelled():
            task.exception()  # nobody may be waiting for it any more
