"""Let hours of a pool's work pass in a moment: time jumps to when something happens next."""

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from inference.errors import DeadlineExceeded
from inference.tensors import InferAnswer, InferRequest
from tests.inference.scripted import ScriptedModel, ScriptedServer

T = TypeVar("T")


class _Jumping(selectors.SelectSelector):
    """Pass the time that should be waited instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "nothing will ever happen any more"
        self.now += max(timeout, 0.0)
        return super().select(0)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is that of its timers alone."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the simulated seconds."""
        return self._jumping.now


def simulate(what: Coroutine[Any, Any, T]) -> T:
    """Run to the end without waiting."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(what)


class PacedServer(ScriptedServer):
    """Work on `instances` requests at a time, on each for as long as its rows take.

    As Triton it goes on with what it has begun when nobody waits for it any more.
    """

    def __init__(
        self,
        url: str,
        models: Mapping[str, ScriptedModel] | None = None,
        *,
        row_s: float,
        request_s: float = 0.0,
        instances: int = 1,
    ) -> None:
        super().__init__(url, models)
        self.row_s = row_s
        self.request_s = request_s
        self.rows: list[int] = []
        """Rows of each request that it worked on."""
        self._free = asyncio.Semaphore(instances)

    async def infer(self, request: InferRequest, *, timeout_s: float) -> InferAnswer:
        self._check_reachable()
        turn = asyncio.ensure_future(self._turn(request))
        try:
            done, _ = await asyncio.wait([turn], timeout=timeout_s)
            if done:
                return turn.result()
        finally:
            turn.cancel()
        raise DeadlineExceeded(f"{self.url}: no answer", server=self.url)

    async def _turn(self, request: InferRequest) -> InferAnswer:
        async with self._free:
            self.rows.append(request.rows)
            work = asyncio.sleep(self.request_s + request.rows * self.row_s)
            begun = asyncio.ensure_future(work)
            try:
                await asyncio.shield(begun)
            except asyncio.CancelledError:
                await begun
                raise
        return self._answer(request)
