"""Send the messages of many calls over one HTTP/2 connection, none before all others."""

import asyncio
from collections import deque

from inference import http2
from inference.gathered import Piece, write_gathered
from inference.http2 import Flag, Kind
from inference.unary_stream import Stream

_SMALL_BYTES = 1 << 14
"""Messages up to this length are copied, and leave with others."""
_WRITTEN_AT_ONCE = 1 << 19


class Outgoing:
    """What leaves, as far as the server and the socket take it."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        """Where to; None before there is a connection, and when it has ended."""
        self.first_window = http2.FIRST_WINDOW
        """Bytes that the server takes of a call before it says more."""
        self.frame_bytes = http2.LEAST_FRAME_BYTES
        """The longest frame that it takes."""
        self._window = http2.FIRST_WINDOW
        self._unsaid: list[Piece] = []
        self._sending: deque[tuple[int, Stream]] = deque()
        self._paused = False

    def begin(self, number: int, stream: Stream, head: bytes) -> None:
        """Send a call's header fields with as much of its message as may be sent now."""
        self.say(http2.frame(Kind.HEADERS, Flag.END_HEADERS, number, head))
        if stream.left <= _SMALL_BYTES and not self._sending and not self._paused:
            self.say(*self._portion(number, stream))
        if stream.left:
            self._sending.append((number, stream))
            self.pump()

    def say(self, *pieces: Piece) -> None:
        """Send pieces with all others of this turn of the loop: to the system it is one call."""
        if not self._unsaid:
            asyncio.get_running_loop().call_soon(self.flush)
        self._unsaid += pieces

    def flush(self) -> None:
        """Send now what was said."""
        unsaid, self._unsaid = self._unsaid, []
        if unsaid and self.transport is not None:
            self.transport.write(b"".join(unsaid))

    def pump(self) -> None:
        """Send what the server and the socket take, a portion of each message in turn."""
        stuck = 0
        while not self._paused and self._window > 0 and stuck < len(self._sending):
            number, stream = self._sending.popleft()
            portion = self._portion(number, stream)
            if stream.left:
                self._sending.append((number, stream))
            stuck = 0 if portion else stuck + 1
            if portion and self.transport is not None:
                self.flush()
                write_gathered(self.transport, portion)

    def widen(self, more: int) -> None:
        """Note that the server takes so many bytes more, of all calls together."""
        self._window += more

    def pause(self, *, paused: bool) -> None:
        """Wait for the socket, or go on."""
        self._paused = paused
        if not paused:
            self.pump()

    def _portion(self, number: int, stream: Stream) -> list[Piece]:
        room = max(min(stream.left, self._window, stream.window, _WRITTEN_AT_ONCE), 0)
        self._window -= room
        return stream.frames(number, room, self.frame_bytes)
