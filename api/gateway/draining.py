"""Leave without failing anyone."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Departure:
    """Whether the process is about to end: it still answers, but nobody should come any more."""

    def __init__(self) -> None:
        self.announced = False
        """Readiness says no from then on, and each answer ends its connection."""


class Draining:
    """ASGI middleware: end each connection with its answer once the process is about to end.

    A connection that is kept open could bring its next request just when nobody listens any more.
    """

    def __init__(self, app: ASGIApp, departure: Departure) -> None:
        self._app = app
        self._departure = departure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def last(message: Message) -> None:
            # Asked only now: the request may have come before.
            if message["type"] == "http.response.start" and self._departure.announced:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, last)
