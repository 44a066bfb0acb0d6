"""Stop working for a client that has gone."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

_T = TypeVar("_T")

_UNWATCHED_S = 0.02
"""Several times what a small request takes."""


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class NoAnswer(Response):
    """The answer to nobody: nothing is sent, so that the request is counted as closed early."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing."""


async def while_connected(request: Request, work: Awaitable[_T]) -> _T:
    """Return what `work` returns; cancels it when the client goes, and raises `ClientGone`.

    The request's body must have been read. What is done within a moment is not watched: a task
    for each request would cost more than what is stopped a moment earlier.
    """
    watch = _Watch(request)
    try:
        return await work
    except asyncio.CancelledError:
        if watch.gone and watch.absorb():
            raise ClientGone from None
        raise
    finally:
        watch.end()


class _Watch:
    """Cancels the task that made it when the client of its request goes."""

    def __init__(self, request: Request) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._request = request
        self._task = task
        self._looking: asyncio.Task[None] | None = None
        self._begin = asyncio.get_running_loop().call_later(_UNWATCHED_S, self._look)
        self.gone = False
        """Whether the client has gone."""

    def absorb(self) -> bool:
        """Say whether nobody else has cancelled the task."""
        return self._task.uncancel() == 0

    def end(self) -> None:
        """Look no more."""
        self._begin.cancel()
        if self._looking is not None:
            self._looking.cancel()

    def _look(self) -> None:
        self._looking = asyncio.ensure_future(self._wait())

    async def _wait(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        self._task.cancel()
