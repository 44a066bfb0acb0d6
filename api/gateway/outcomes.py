"""Tell what became of each request, in a metric and in a line of the access log."""

import logging
import time
from collections.abc import Iterator
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.gateway.principal import known_caller
from api.gateway.route_table import UNMATCHED, RouteTable
from telemetry.logs import tell
from telemetry.metrics import Metrics

ACCESS = "nightshift.access"
"""The logger of one line for each request."""
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_OTHER = "other"
_LONGEST_PATH = 256
_CLOSED_EARLY = 499
"""What proxies log for a caller that went away before it was answered."""

_access = logging.getLogger(ACCESS)


class Outcomes:
    """ASGI middleware: count and log each request when it has ended.

    No query and no header is logged: either may hold a secret.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: RouteTable) -> None:
        self._app = app
        self._metrics = metrics
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = _CLOSED_EARLY
        sent = 0
        start = time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                sent += len(message.get("body", b""))
            await send(message)

        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, watched)
        except BaseException:
            status = status if sent else HTTPStatus.INTERNAL_SERVER_ERROR
            raise
        finally:
            self._metrics.in_flight.dec()
            self._tell(scope, int(status), sent, time.perf_counter() - start)

    def _tell(self, scope: Scope, status: int, sent: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else _OTHER
        route = self._routes.template(scope)
        self._metrics.answered(method, route, status, seconds=seconds)
        caller = known_caller(scope)
        principal = caller.principal if caller else None
        fields = {
            "method": method,
            "path": scope["path"][:_LONGEST_PATH],
            "route": route,
            "status": status,
            "bytes": sent,
            "ms": round(seconds * 1000, 2),
            "client": caller.address if caller else None,
            "subject": principal.subject if principal else None,
        }
        tell(_access, "answered", fields)


def possible(routes: RouteTable) -> Iterator[tuple[str, str]]:
    """Go through every method and route that is counted: also those that no route has."""
    yield from routes
    for method in (*_METHODS, _OTHER):
        yield method, UNMATCHED
