"""Give calls that nobody waits for any more time to end by themselves."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class AbandonedCalls:
    """Calls that go on for a while after whoever asked was cancelled.

    A request that is cancelled just when Triton answers it can end the whole server with signal
    11: its gRPC front races with its own notification of the cancellation (server issues 7368,
    7472, 8034; reproduced with 2.51 within some hundred cancellations). So a call is left to end,
    and cancelled only when it takes so long that the answer is not near.
    """

    def __init__(self, *, grace_s: float) -> None:
        self._grace_s = grace_s
        self._running: set[asyncio.Task[None]] = set()

    async def answer(self, call: Awaitable[T]) -> T:
        """Return what `call` returns; it goes on for a while when the waiting task is cancelled."""
        running = asyncio.ensure_future(call)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            if not running.done():
                ending = asyncio.create_task(self._end(running))
                self._running.add(ending)
                ending.add_done_callback(self._running.discard)
            raise

    async def wait(self) -> None:
        """Wait for those that are still under way, at most as long as they may take."""
        if self._running:
            await asyncio.wait(tuple(self._running))

    async def _end(self, call: "asyncio.Future[T]") -> None:
        await asyncio.wait([call], timeout=self._grace_s)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)  # nobody is interested any more
