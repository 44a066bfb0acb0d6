"""Answer a request that met a fault in the program."""

from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.gateway.tracing import request_id_of
from api.problems import Problem, answer
from telemetry.logs import logger

_log = logger(__name__)


class Faults:
    """ASGI middleware: log the fault with the request that met it, tell the caller its id only.

    An answer that was begun cannot become another one: the connection is closed in the middle.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def watch(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception:  # the edge of the request: whatever it met, the next one is answered
            _log.exception("a request met a fault", method=scope["method"], path=scope["path"])
            if begun:
                raise
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            problem = Problem(
                title=status.phrase,
                status=status,
                instance=scope["path"],
                request_id=request_id_of(scope),  # type: ignore[call-arg]  # RFC 9457 extension
            )
            await answer(problem)(scope, receive, send)
