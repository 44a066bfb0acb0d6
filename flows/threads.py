"""Run blocking work in a thread without ever leaving it behind."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


async def in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Return what `function` returns, run in a thread of the event loop's pool.

    A thread cannot be interrupted. When the waiting task is cancelled, this waits for the thread
    to finish before it raises, so that nobody closes a file that the thread still uses; so it does
    when it is cancelled again meanwhile.
    """
    running = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        running.exception()  # what became of it interests nobody any more
        raise
