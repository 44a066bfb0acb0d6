"""Bound what a request may send."""

import asyncio
import time
from collections.abc import Callable, Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.gateway.body_bounds import BodyBounds
from api.gateway.body_room import BodyRoom, Held, set_held
from api.gateway.headers import field
from api.gateway.refusals import ENCODED, TOO_LARGE, TOO_SLOW, send_refusal
from api.problems import Refused

_FINE_TO_IGNORE = 65_536
"""A body that nobody reads is taken off the wire up to this size, so that the connection can be
used again; beyond, the connection is closed with the answer."""


class BodyLimits:
    """ASGI middleware: refuse bodies that are too large, too slow or compressed unasked.

    So are bodies beyond what all of them together may hold.

    Bytes are counted as they arrive, whatever `Content-Length` says, and before anything parses
    them. What is over the limit ends the connection: it would be read only to be thrown away.
    """

    def __init__(
        self, app: ASGIApp, bounds: BodyBounds, under: Mapping[str, BodyBounds] | None = None
    ) -> None:
        """Paths that begin with a prefix in `under` have bounds of their own."""
        self._app = app
        self._limits = _Limits(bounds)
        self._under = {prefix: _Limits(own) for prefix, own in (under or {}).items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 408, 413, 415 or 503."""
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        limits = self._limits_of(scope["path"])
        held = Held(limits.room)
        set_held(scope, held)
        body = _Body(receive, send, limits, held)
        try:
            body.announced(scope)
            await self._app(scope, body.receive, body.send)
        except Refused as refused:
            # Also what the application makes of its own failure to read is no answer then.
            if refused is not body.refused:
                raise
        finally:
            held.end()
        if body.refused is not None and not body.begun:
            await send_refusal(body.refused, scope, receive, send, headers={"Connection": "close"})

    def _limits_of(self, path: str) -> "_Limits":
        own = (limits for prefix, limits in self._under.items() if path.startswith(prefix))
        return next(own, self._limits)


class _Limits:
    """What bodies of some paths may be, each and all of them."""

    def __init__(self, bounds: BodyBounds) -> None:
        self.bounds = bounds
        """Each."""
        self.room = BodyRoom(bounds.max_held_bytes)
        """All of them."""


class _Body:
    """One request's body, and the answer to it."""

    def __init__(self, receive: Receive, send: Send, limits: _Limits, held: Held) -> None:
        self._receive = receive
        self._send = send
        self._bounds = limits.bounds
        self._room = limits.room
        self._held = held
        self._start = time.monotonic()
        self._received = 0
        self._length: int | None = None
        self._complete = False
        self.refused: Refused | None = None
        """Why the body is not taken."""
        self.begun = False
        """Whether the answer has begun: it cannot become another one then."""

    def announced(self, scope: Scope) -> None:
        """Judge what the headers say; raises `Refused`."""
        coding = (field(scope, b"content-encoding") or "").lower()
        if coding not in ("identity", "", *self._bounds.codings):
            raise self._refuse(
                Refused(
                    ENCODED,
                    "send the body without Content-Encoding"
                    + "".join(f", or as {each}" for each in self._bounds.codings),
                    headers={"Accept-Encoding": ", ".join((*self._bounds.codings, "identity"))},
                )
            )
        length = field(scope, b"content-length")
        self._length = int(length) if length and length.isdecimal() else None
        self._judge_size(self._length or 0)
        # What has no room now is refused before it is sent; what is announced holds none yet.
        self._or_refuse(self._room.check, self._length or 0)

    async def receive(self) -> Message:
        """Return the next piece of the body; raises `Refused`."""
        if self._complete:
            return await self._receive()
        elapsed_s = time.monotonic() - self._start
        try:
            async with asyncio.timeout(self._bounds.patience_s(self._received, elapsed_s)):
                message = await self._receive()
        except TimeoutError as error:
            words = f"{self._received} bytes of the body arrived in time"
            raise self._refuse(Refused(TOO_SLOW, words)) from error
        if message["type"] == "http.request":
            size = len(message.get("body", b""))
            self._received += size
            self._complete = not message.get("more_body", False)
            self._judge_size(self._received)
            self._or_refuse(self._held.add, size)
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer, unless another answer will be given."""
        if self.refused is not None and not self.begun:
            return
        if message["type"] == "http.response.start":
            self.begun = True
            if self._unread() > _FINE_TO_IGNORE:
                MutableHeaders(scope=message)["Connection"] = "close"
        await self._send(message)

    def _unread(self) -> int:
        """Return how much of the body may still come."""
        if self._complete:
            return 0
        return (self._length or self._bounds.max_bytes) - self._received

    def _judge_size(self, size: int) -> None:
        most = self._bounds.max_bytes
        if size > most:
            words = f"this path takes bodies of at most {most} bytes"
            raise self._refuse(Refused(TOO_LARGE, words, members={"max_bytes": most}))

    def _or_refuse(self, counted: Callable[[int], None], size: int) -> None:
        try:
            counted(size)
        except Refused as refused:
            self.refused = refused
            raise

    def _refuse(self, refused: Refused) -> Refused:
        self.refused = refused
        return refused


def _has_body(scope: Scope) -> bool:
    """Say whether a body follows (RFC 9112, section 6.3)."""
    length = field(scope, b"content-length")
    return length not in (None, "0") or field(scope, b"transfer-encoding") is not None
