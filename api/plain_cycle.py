"""Answer one plain request on a connection, without h11 between the application and the socket."""

import asyncio
from collections.abc import Iterable
from typing import Any

import numpy as np
from starlette.types import Message
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.h11_impl import RequestResponseCycle

from api.plain_heads import answer_head

LARGE_BYTES = 1 << 18
"""Bodies from this length on lie in one piece of memory, into which the socket is read."""
_WORTH_TELLING = 1 << 20
_TOLD_AFTER_S = 0.02
"""What came of a large body is told when it is so much, or after so long: the application looks at
each piece."""
_TOGETHER = 1 << 16
"""Up to so many bytes leave together with the head: one packet and one call less."""
_WITHOUT_BODY = frozenset((204, 304))


class PlainCycle(RequestResponseCycle):
    """One request with its answer; what uvicorn's own is to h11, to a head that was plain."""

    def __init__(self, *, body_bytes: int, **theirs: Any) -> None:
        """`body_bytes` is what the head says; `theirs` is what uvicorn's own takes."""
        super().__init__(**theirs)
        self.left = body_bytes
        """Bytes of the body that have not come."""
        self._size = body_bytes
        self._pieces: list[bytes] = []
        self._whole: memoryview | None = None
        self._given = 0
        self._head = b""
        self._unsent: int | None = None
        self._closes = False
        self._telling: asyncio.TimerHandle | None = None
        if not body_bytes:
            self.message_event.set()

    @property
    def room(self) -> memoryview | None:
        """Where the rest of a large body is to be put; None where there is no such place."""
        if self._whole is None or not self.left or self.response_complete:
            return None
        return self._whole[self._size - self.left :]

    def filled(self, size: int) -> None:
        """Note that so many bytes more lie in the room."""
        self.left -= size
        if not self.left or self._size - self.left - self._given >= _WORTH_TELLING:
            self._tell()
        elif self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(_TOLD_AFTER_S, self._tell)

    def add(self, piece: bytes) -> bytes:
        """Take what belongs to the body off `piece`; return what is behind it."""
        own = piece if len(piece) <= self.left else piece[: self.left]
        if not self.response_complete:
            self._keep(own)
        self.left -= len(own)
        return piece[len(own) :]

    # As theirs, which types every message apart.
    async def receive(self) -> Message:  # type: ignore[override]
        """Return what has come of the body; a large one's pieces are views of one memory."""
        if not (self.disconnected or self.response_complete):
            self._have_room()
            if not self.message_event.is_set():
                self.flow.resume_reading()
                await self.message_event.wait()
            self.message_event.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self._next(), "more_body": self.left > 0}

    async def send(self, message: Message) -> None:  # type: ignore[override]
        """Send a part of the answer; its head waits for the first part of its body."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        wanted = "http.response.body" if self.response_started else "http.response.start"
        if message["type"] != wanted or self.response_complete:
            raise RuntimeError(f"{message['type']} is not what follows in an answer")
        if self.response_started:
            self._write(message.get("body", b""), more=message.get("more_body", False))
        else:
            self._start(message["status"], message.get("headers", ()))

    def _tell(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        self.message_event.set()

    def _keep(self, own: bytes) -> None:
        if self._whole is not None:
            end = self._size - self.left
            self._whole[end : end + len(own)] = own
        else:
            self._pieces.append(own)
            if self._size >= LARGE_BYTES or sum(map(len, self._pieces)) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
        self.message_event.set()

    def _have_room(self) -> None:
        """Have one piece of memory for the whole of a large body, now that someone wants it."""
        if self._size < LARGE_BYTES or self._whole is not None:
            return
        # Not filled with zeros, so that what never comes takes no memory.
        self._whole = np.empty(self._size, np.uint8).data
        pieces, self._pieces = self._pieces, []
        came = b"".join(pieces)
        self._whole[: len(came)] = came

    def _next(self) -> bytes | memoryview:
        """Return what was not given yet."""
        if self._whole is not None:
            begin, self._given = self._given, self._size - self.left
            return self._whole[begin : self._given]
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _start(self, status: int, fields: Iterable[tuple[bytes, bytes]]) -> None:
        self.response_started = True
        told = [*self.default_headers, *fields]
        for name, value in told:
            if name == b"content-length":
                self._unsent = int(value)
            elif name == b"connection":
                self._closes = b"close" in value.lower()
        if status in _WITHOUT_BODY:
            self._unsent = 0
        elif self._unsent is None:
            told.append((b"Transfer-Encoding", b"chunked"))
        self._head = answer_head(status, told)
        if self._unsent is None:
            # More may come long after it.
            self._write_out(b"")

    def _write(self, body: bytes | memoryview, *, more: bool) -> None:
        if self._unsent is None:
            body = b"%x\r\n%b\r\n" % (len(body), bytes(body)) if body else b""
            body += b"" if more else b"0\r\n\r\n"
        else:
            self._unsent -= len(body)
            if self._unsent < 0 or (self._unsent and not more):
                raise RuntimeError("an answer has another length than its head says")
        self._write_out(body)
        if not more:
            self._complete()

    def _complete(self) -> None:
        self.response_complete = True
        self._tell()
        # The connection knows the last request for as long as it waits for the next one.
        self._whole, self._pieces = None, []
        if self._closes or not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _write_out(self, body: bytes | memoryview) -> None:
        head, self._head = self._head, b""
        if len(body) <= _TOGETHER:
            self.transport.write(head + body)
            return
        if head:
            self.transport.write(head)
        self.transport.write(body)
