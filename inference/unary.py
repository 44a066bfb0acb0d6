"""Ask one gRPC server over one HTTP/2 connection, one message for another."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from inference import http2
from inference.gathered import Piece
from inference.grpc_fields import CallFailed, Fields, code_of_reset, request_head
from inference.http2 import Flag, Frame, Kind, NotHttp2, Setting
from inference.outgoing import Outgoing
from inference.unary_stream import PREFIX_BYTES, Stream

_READ_BYTES = 1 << 16
_MOST_FRAME = (1 << 24) - 1
_TOLD_AFTER = 1 << 30
"""Bytes that come before the server is told that it may send as many again."""
_LAST_STREAM = 1 << 30
_MOST_FIELD_BYTES = 1 << 16


class UnaryConnection(asyncio.BufferedProtocol):
    """A connection that carries any number of calls at a time; for one event loop.

    It does what `grpc.aio` does for such a call, within the event loop: that one has a thread of
    its own, several tasks and some dozen callbacks for each, which take longer than everything else
    that is done for a small request.
    """

    def __init__(self, *, authority: str, max_bytes: int) -> None:
        """An answer of more than `max_bytes` fails its call."""
        loop = asyncio.get_running_loop()
        self._authority = authority
        self._max_bytes = max_bytes
        self._transport: asyncio.Transport | None = None
        self._buffer = memoryview(bytearray(_READ_BYTES))
        self._frames = http2.Frames(max_bytes=_MOST_FRAME)
        self._fields = Fields()
        self._block: tuple[int, int, bytes] | None = None
        self._streams: dict[int, Stream] = {}
        self._abandoned: dict[int, asyncio.TimerHandle] = {}
        self._out = Outgoing()
        self._next = 1
        self._most = http2.MOST_WINDOW
        self._taken = 0
        self._leaving = False
        self._takers: Mapping[int, Callable[[Frame], None]] = {
            Kind.DATA: self._take_data,
            Kind.HEADERS: self._take_head,
            Kind.CONTINUATION: self._take_more,
            Kind.RST_STREAM: self._take_reset,
            Kind.SETTINGS: self._take_settings,
            Kind.PING: self._take_ping,
            Kind.GOAWAY: self._take_leave,
            Kind.WINDOW_UPDATE: self._take_window,
        }
        self.greeted: asyncio.Future[None] = loop.create_future()
        """Done when the server has said what it takes, or the connection is closed."""
        self.ended: asyncio.Future[None] = loop.create_future()
        """Done when the connection is closed."""

    @property
    def usable(self) -> bool:
        """Whether another call may be made now."""
        return not self._gone and len(self._streams) < self._most

    @property
    def _gone(self) -> bool:
        return self._leaving or self.ended.done() or self._next > _LAST_STREAM

    async def call(
        self,
        path: str,
        pieces: Sequence[Piece],
        *,
        timeout_s: float,
        grace_s: float,
        more: Mapping[str, str],
    ) -> bytes:
        """Return the answer to the message that the pieces make; raises `CallFailed`.

        The server hears of the deadline. Where the waiting task is cancelled the call goes on for
        `grace_s`, then it is cancelled there too. `more` are header fields besides.
        """
        loop = asyncio.get_running_loop()
        number, stream = self._begin(path, pieces, timeout_s, more)
        timer = loop.call_later(timeout_s, self._late, number)
        try:
            return await stream.answer
        except asyncio.CancelledError:
            if number in self._streams:
                self._abandoned[number] = loop.call_later(grace_s, self._reset, number)
            raise
        finally:
            timer.cancel()

    def leave(self) -> None:
        """Make no more calls; close the connection when those that are under way have ended."""
        self._leaving = True
        if not self._streams and self._transport is not None:
            self._out.flush()
            self._transport.close()

    async def close(self, *, within_s: float) -> None:
        """Fail what somebody waits for, then leave; what was abandoned may end by itself."""
        for number in [each for each in self._streams if each not in self._abandoned]:
            self._reset(number, "UNAVAILABLE", "the connection is closed here")
        self.leave()
        if not (await asyncio.wait([self.ended], timeout=within_s))[0]:
            self._socket.abort()
            await self.ended

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say what we take: no memory for fields, any amount of data."""
        self._transport = self._out.transport = cast(asyncio.Transport, transport)
        told = (
            (Setting.HEADER_TABLE_SIZE, 0),
            (Setting.ENABLE_PUSH, 0),
            (Setting.INITIAL_WINDOW_SIZE, http2.MOST_WINDOW),
            (Setting.MAX_FRAME_SIZE, _MOST_FRAME),
        )
        more = http2.window_update(0, http2.MOST_WINDOW - http2.FIRST_WINDOW)
        self._transport.write(http2.PREFACE + http2.settings(told) + more)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is under way."""
        self._out.transport = None
        self.ended.set_result(None)
        if not self.greeted.done():
            self.greeted.set_result(None)
        for timer in self._abandoned.values():
            timer.cancel()
        for number in tuple(self._streams):
            self._fail(number, "UNAVAILABLE", f"the connection ended: {exc or 'it was closed'}")

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return what the socket is to be read into."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read; what is not HTTP/2 ends the connection."""
        try:
            for each in self._frames.cut(self._buffer[:nbytes]):
                self._take(each)
        except NotHttp2 as error:
            self._leaving = True
            for number in tuple(self._streams):
                self._fail(number, "UNAVAILABLE", f"the server does not speak HTTP/2: {error}")
            self._socket.abort()

    def pause_writing(self) -> None:
        """Wait for the socket."""
        self._out.pause(paused=True)

    def resume_writing(self) -> None:
        """Go on."""
        self._out.pause(paused=False)

    def _begin(
        self, path: str, pieces: Sequence[Piece], timeout_s: float, more: Mapping[str, str]
    ) -> tuple[int, Stream]:
        if self._gone:
            raise CallFailed("UNAVAILABLE", "the connection has ended")
        number, self._next = self._next, self._next + 2
        stream = self._streams[number] = Stream(pieces, window=self._out.first_window)
        head = request_head(self._authority, path, timeout_s, more)
        self._out.begin(number, stream, head)
        return number, stream

    def _take(self, came: Frame) -> None:
        """Do what a frame says; raises `NotHttp2`."""
        if self._block is not None and came.kind != Kind.CONTINUATION:
            raise NotHttp2("a block of fields is interrupted")
        taker = self._takers.get(came.kind)
        if taker is not None:
            taker(came)

    def _take_head(self, came: Frame) -> None:
        self._take_fields(came.stream, came.flags, came.flags, came.unpadded())

    def _take_more(self, came: Frame) -> None:
        if self._block is None or came.stream != self._block[0]:
            raise NotHttp2("a block of fields goes on that did not begin")
        number, flags, block = self._block
        self._take_fields(number, flags, came.flags, block + came.content)

    def _take_reset(self, came: Frame) -> None:
        code = http2.number(came.content)
        words = f"the server reset the call with code {code}"
        self._fail(came.stream, code_of_reset(code), words)

    def _take_ping(self, came: Frame) -> None:
        if not came.flags & Flag.ACK:
            self._out.say(http2.frame(Kind.PING, Flag.ACK, 0, came.content))

    def _take_data(self, came: Frame) -> None:
        self._taken += len(came.content)
        if self._taken > _TOLD_AFTER:
            self._out.say(http2.window_update(0, self._taken))
            self._taken = 0
        stream = self._streams.get(came.stream)
        if stream is None:
            return
        stream.take(came.unpadded())
        if stream.came_bytes > self._max_bytes + PREFIX_BYTES:
            words = f"the answer has more than the {self._max_bytes:,} bytes that are taken"
            self._reset(came.stream, "RESOURCE_EXHAUSTED", words)
        elif came.flags & Flag.END_STREAM:
            self._finish(came.stream, stream)

    def _take_fields(self, number: int, flags: int, last: int, block: bytes) -> None:
        if not last & Flag.END_HEADERS:
            if len(block) > _MOST_FIELD_BYTES:
                raise NotHttp2("a block of fields does not end")
            self._block = (number, flags, block)
            return
        self._block = None
        fields = self._fields.read(block)
        stream = self._streams.get(number)
        if stream is None:
            return
        stream.tell(fields)
        if flags & Flag.END_STREAM:
            self._finish(number, stream)

    def _take_settings(self, came: Frame) -> None:
        if came.flags & Flag.ACK:
            return
        for setting, value in http2.told_settings(came.content):
            if setting == Setting.INITIAL_WINDOW_SIZE:
                for stream in self._streams.values():
                    stream.window += value - self._out.first_window
                self._out.first_window = value
            elif setting == Setting.MAX_FRAME_SIZE:
                self._out.frame_bytes = max(value, http2.LEAST_FRAME_BYTES)
            elif setting == Setting.MAX_CONCURRENT_STREAMS:
                self._most = value
        self._out.say(http2.frame(Kind.SETTINGS, Flag.ACK, 0, b""))
        if not self.greeted.done():
            self.greeted.set_result(None)
        self._out.pump()

    def _take_leave(self, came: Frame) -> None:
        last = http2.number(came.content)
        for number in [each for each in self._streams if each > last]:
            self._fail(number, "UNAVAILABLE", "the server goes away")
        self.leave()

    def _take_window(self, came: Frame) -> None:
        more, stream = http2.number(came.content), self._streams.get(came.stream)
        if came.stream == 0:
            self._out.widen(more)
        elif stream is not None:
            stream.window += more
        self._out.pump()

    def _finish(self, number: int, stream: Stream) -> None:
        """End a call that the server has ended."""
        if stream.left:
            self._tell_cancelled(number)
        self._end(number, stream.outcome())

    def _late(self, number: int) -> None:
        self._reset(number, "DEADLINE_EXCEEDED", "no answer came in time")

    def _reset(self, number: int, code: str = "CANCELLED", words: str = "given up") -> None:
        """End a call here and there."""
        if number in self._streams:
            self._tell_cancelled(number)
            self._fail(number, code, words)

    def _tell_cancelled(self, number: int) -> None:
        reason = http2.CANCEL.to_bytes(4)
        self._out.say(http2.frame(Kind.RST_STREAM, 0, number, reason))

    def _fail(self, number: int, code: str, words: str) -> None:
        self._end(number, CallFailed(code, words))

    def _end(self, number: int, outcome: bytes | CallFailed) -> None:
        stream = self._streams.pop(number, None)
        timer = self._abandoned.pop(number, None)
        if timer is not None:
            timer.cancel()
        if stream is not None:
            stream.end(outcome)
        if self._leaving:
            self.leave()

    @property
    def _socket(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport
