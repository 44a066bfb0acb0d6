"""Stop working for a client that has gone."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

_T = TypeVar("_T")


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class NoAnswer(Response):
    """The answer to nobody: nothing is sent, so that the request is counted as closed early."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing."""


async def while_connected(request: Request, work: Coroutine[Any, Any, _T]) -> _T:
    """Return what `work` returns; cancels it when the client goes, and raises `ClientGone`.

    The request's body must have been read.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientGone
    finally:
        for task in (working, leaving):
            task.cancel()
        # Whoever goes waits until the server was told, and no error is left that nobody saw.
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
