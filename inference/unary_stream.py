"""Cut one call's message into frames, put its answer together."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence

from inference import http2
from inference.gathered import Piece
from inference.grpc_fields import CallFailed, failure_of
from inference.http2 import Flag, Kind

PREFIX_BYTES = 5
"""In front of each message: whether it is compressed, then its length."""


class Stream:
    """A call that is under way."""

    def __init__(self, pieces: Sequence[Piece], *, window: int) -> None:
        """`window` is how many bytes the server takes of a call before it says more."""
        size = sum(map(len, pieces))
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        """What whoever asked waits for."""
        self.window = window
        """Bytes that the server takes of it now."""
        self.left = PREFIX_BYTES + size
        """Bytes that were not sent yet."""
        self.came_bytes = 0
        """Bytes that came."""
        self._unsent = deque[Piece]((b"\0" + size.to_bytes(4), *pieces))
        self._came: list[bytes] = []
        self._told: dict[str, str] = {}

    def frames(self, number: int, room: int, frame_bytes: int) -> list[Piece]:
        """Take so many bytes off what is unsent, in frames of at most `frame_bytes`."""
        found: list[Piece] = []
        self.window -= room
        while room > 0:
            size = min(room, frame_bytes)
            room -= size
            self.left -= size
            flags = 0 if self.left else Flag.END_STREAM
            found.append(http2.frame_header(Kind.DATA, flags, number, size))
            self._cut(size, found)
        return found

    def take(self, content: bytes) -> None:
        """Note what came of the answer."""
        self._came.append(content)
        self.came_bytes += len(content)

    def tell(self, fields: Mapping[str, str]) -> None:
        """Note header fields of the answer."""
        self._told |= fields

    def outcome(self) -> bytes | CallFailed:
        """Return what the call came to, once the server has ended it."""
        failed = failure_of(self._told)
        if failed is not None:
            return failed
        message = self._came[0] if len(self._came) == 1 else b"".join(self._came)
        size = int.from_bytes(message[1:PREFIX_BYTES])
        if message[:1] != b"\0" or len(message) != PREFIX_BYTES + size:
            return CallFailed("INTERNAL", "the answer is not one message, or it is compressed")
        return message[PREFIX_BYTES:]

    def end(self, outcome: bytes | CallFailed) -> None:
        """Give whoever asked the outcome, if anyone still waits."""
        self._unsent.clear()
        self._came.clear()
        self.left = 0
        if self.answer.done():
            return
        if isinstance(outcome, CallFailed):
            self.answer.set_exception(outcome)
            self.answer.exception()  # whoever asked may be cancelled in the same moment
        else:
            self.answer.set_result(outcome)

    def _cut(self, size: int, found: list[Piece]) -> None:
        while size:
            piece = self._unsent[0]
            if len(piece) <= size:
                found.append(self._unsent.popleft())
                size -= len(piece)
            else:
                view = memoryview(piece)
                found.append(view[:size])
                self._unsent[0] = view[size:]
                size = 0
