"""Run the API until a signal ends it."""

import asyncio
import contextlib
import gc
import signal
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.connection import Connection
from api.gateway.draining import Departure
from api.settings import Settings
from telemetry.logs import logger

_log = logger(__name__)

_READ_BYTES = 1 << 16
"""What a socket is read into at a time, but for large bodies."""


async def serve(
    settings: Settings, listener: socket.socket, started: Callable[[str | None], None]
) -> None:
    """Answer on `listener`, which is closed then; what is under way at the signal is finished.

    Calls `started` when everything is open, with a demo token in development.
    """
    app = create_app(settings)
    demo = app.state.gateway.demo
    await answer(app, settings, listener, lambda: started(demo.token().token if demo else None))


async def answer(
    app: FastAPI, settings: Settings, listener: socket.socket, started: Callable[[], None]
) -> None:
    """Answer with `app`; see `serve`.

    The application's lifespan is entered here: uvicorn would log its error and hide it from the
    caller.
    """
    # Connections inherit it. asyncio sets it only where a socket names its protocol, and without it
    # the second half of each answer waits 40 ms for the client to acknowledge the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    async with app.router.lifespan_context(app):
        server = _Server(_config(app, settings), settings.traffic.head_timeout_s)
        async with asyncio.TaskGroup() as tasks:
            leaving = _Leaving(server, app.state.gateway.departure, settings.api.drain_notice_s)
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGINT, leaving.now)
            loop.add_signal_handler(signal.SIGTERM, leaving.soon, tasks)
            started()
            with _uncollected():
                await server.serve(sockets=[listener])
            leaving.done()


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Have the garbage collector pass over what was imported and opened.

    It is there to the end; to look through it holds up every request for 0.2 s, now and then.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        # Theirs is typed as a class, and called like a function.
        http=cast(Any, partial(Connection, scratch=memoryview(bytearray(_READ_BYTES)))),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # It would believe X-Forwarded-For from this machine; the gateway has its own rule.
        proxy_headers=False,
        limit_concurrency=settings.traffic.max_connections,
        timeout_graceful_shutdown=settings.api.drain_s,
    )


class _Leaving:
    """How the server ends: on SIGTERM after a notice, on Ctrl-C or a second SIGTERM at once."""

    def __init__(self, server: uvicorn.Server, departure: Departure, notice_s: float) -> None:
        self._server = server
        self._departure = departure
        self._notice_s = notice_s
        self._waiting: asyncio.Task[None] | None = None

    def soon(self, tasks: asyncio.TaskGroup) -> None:
        """Say that the server is about to end, then end it."""
        if self._departure.announced:
            self.now()
            return
        _log.info("told to end", notice_s=self._notice_s)
        self._departure.announced = True
        self._waiting = tasks.create_task(self._end_after_notice())

    def now(self) -> None:
        """Take no more connections; finish what is under way."""
        self._departure.announced = True
        self._server.should_exit = True

    def done(self) -> None:
        """Wait no more."""
        if self._waiting is not None:
            self._waiting.cancel()

    async def _end_after_notice(self) -> None:
        await asyncio.sleep(self._notice_s)
        self.now()


class _Server(uvicorn.Server):
    """Closes connections on which no request arrives."""

    def __init__(self, config: uvicorn.Config, head_timeout_s: float) -> None:
        super().__init__(config)
        self._head_timeout_s = head_timeout_s

    def capture_signals(  # type: ignore[override]  # theirs is a generator, only entered and left
        self,
    ) -> contextlib.AbstractContextManager[None]:
        """End like any coroutine, where uvicorn would raise the signal anew before we closed."""
        return contextlib.nullcontext()

    async def on_tick(self, counter: int) -> bool:
        """Look after connections: uvicorn's clock ticks ten times a second."""
        now = time.monotonic()
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                connection.close_if_overdue(now, self._head_timeout_s)
        return await super().on_tick(counter)
