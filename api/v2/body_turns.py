"""Let large bodies come in one after the other."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.online.port import PoolBusy

_PROMPT_S = 0.5
"""Time in which a body has to come for its turn to be kept."""


class Turn:
    """One request's turn."""

    def __init__(self, turns: "BodyTurns", size: int, *, prompt_s: float) -> None:
        self._turns = turns
        self._size = size
        self._patience = asyncio.get_running_loop().call_later(prompt_s, self.end)

    def body_came(self) -> None:
        """Keep the turn, if it is not over, until it is ended."""
        self._patience.cancel()

    def end(self) -> None:
        """Let others have it. Safe to repeat."""
        self._patience.cancel()
        size, self._size = self._size, 0
        self._turns.give_back(size)


class BodyTurns:
    """Turns at sending a large body, in the order of asking; for one event loop.

    A body takes its memory several times, as it is read and as the request to the server. Who
    waits leaves it with the sender, whom TCP has wait: a burst of large requests takes as much
    memory as a few of them, and no less is done in all. Whoever sends slowly loses the turn and
    goes on without, so that nobody holds up others.
    """

    def __init__(self, *, max_bytes: int, wait_s: float, prompt_s: float = _PROMPT_S) -> None:
        """Let in `max_bytes` together, or one alone; who waits longer than `wait_s` is refused.

        A body that has not come after `prompt_s` loses its turn.
        """
        self._prompt_s = prompt_s
        self._max_bytes = max_bytes
        self._wait_s = wait_s
        self._held = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    @asynccontextmanager
    async def turn(self, size: int, *, within_s: float | None = None) -> AsyncIterator[Turn]:
        """Wait for a turn at a body of `size` bytes; raises `PoolBusy`, also after `within_s`."""
        await self._take(size, self._wait_s if within_s is None else min(self._wait_s, within_s))
        turn = Turn(self, size, prompt_s=self._prompt_s)
        try:
            yield turn
        finally:
            turn.end()

    def give_back(self, size: int) -> None:
        """Have room for so many bytes more."""
        self._held -= size
        self._let_in()

    async def _take(self, size: int, wait_s: float) -> None:
        let_in: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, let_in))
        self._let_in()
        try:
            async with asyncio.timeout(wait_s):
                await let_in
        except TimeoutError as error:
            self._leave(size, let_in)
            words = f"large requests wait for longer than {wait_s:g} s: send it again"
            raise PoolBusy(words, retry_after_s=1.0) from error
        except asyncio.CancelledError:
            self._leave(size, let_in)
            raise

    def _leave(self, size: int, let_in: "asyncio.Future[None]") -> None:
        """Wait no more, giving back what was given in the same moment."""
        if let_in.done() and not let_in.cancelled():
            self.give_back(size)
        else:
            self._waiting.remove((size, let_in))
            self._let_in()

    def _let_in(self) -> None:
        while self._waiting:
            size, let_in = self._waiting[0]
            if self._held and self._held + size > self._max_bytes:
                return
            self._waiting.popleft()
            self._held += size
            let_in.set_result(None)
