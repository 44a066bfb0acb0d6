"""Run the API until a signal ends it."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable

import uvicorn

from api.app import create_app
from api.gateway.demo import Demo
from api.settings import Settings


async def serve(
    settings: Settings, listener: socket.socket, started: Callable[[str | None], None]
) -> None:
    """Answer on `listener`, which is closed then; what is under way at the signal is finished.

    Calls `started` when everything is open, with a demo token in development. The application's
    lifespan is entered here: uvicorn would log its error and hide it from the caller.
    """
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        server = _Server(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=settings.api.drain_s,
            )
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.handle_exit, number, None)
        demo = getattr(app.state, "demo", None)
        started(demo.token().token if isinstance(demo, Demo) else None)
        await server.serve(sockets=[listener])


class _Server(uvicorn.Server):
    """Ends like any coroutine, where uvicorn would raise the signal anew before we have closed."""

    # uvicorn's is typed as a generator's context manager, of which it only enters and leaves it.
    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()
