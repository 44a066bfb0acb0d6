"""Run blocking work in a thread without ever leaving it behind."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


async def in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Return what `function` returns, run in a thread of the event loop's pool; see `in_pool`."""
    return await in_pool(None, function, *args, **kwargs)


async def in_pool(
    pool: Executor | None, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> R:
    """Return what `function` returns, run in a thread of `pool`, or of the event loop's.

    A thread cannot be interrupted. When the waiting task is cancelled, this waits for the thread
    to finish before it raises, so that nobody closes a file that the thread still uses; so it does
    when it is cancelled again meanwhile.
    """
    work = partial(copy_context().run, function, *args, **kwargs)
    running = asyncio.get_running_loop().run_in_executor(pool, work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        running.exception()  # what became of it interests nobody any more
        raise
