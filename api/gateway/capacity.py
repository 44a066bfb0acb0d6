"""Bound how many requests are under way."""

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from api.gateway.paths import PathSet
from api.gateway.refusals import OVER_CAPACITY, send_refusal
from api.problems import Refused


class Capacity:
    """ASGI middleware: refuse at once what there is no room for; waiting would help nobody."""

    def __init__(self, app: ASGIApp, most: int, unbounded: Collection[str]) -> None:
        """Paths in `unbounded` are for whoever watches the process, which is full then."""
        self._app = app
        self._most = most
        self._unbounded = PathSet(unbounded)
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 503."""
        if scope["type"] != "http" or scope["path"] in self._unbounded:
            await self._app(scope, receive, send)
            return
        if self._under_way >= self._most:
            words = f"{self._most} requests are under way"
            refused = Refused(OVER_CAPACITY, words, headers={"Retry-After": "1"})
            await send_refusal(refused, scope, receive, send)
            return
        self._under_way += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= 1
