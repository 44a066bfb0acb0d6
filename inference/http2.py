"""Write the frames of HTTP/2 that a unary gRPC call needs, tell apart those that come."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client sends first (RFC 9113, section 3.4)."""
HEADER_BYTES = 9
LEAST_FRAME_BYTES = 16_384
"""The longest frame that everyone takes."""
MOST_WINDOW = 2**31 - 1
CANCEL = 8
"""Why a call is reset of which nobody wants the answer (RFC 9113, section 7)."""
FIRST_WINDOW = 65_535
"""How much may be sent before the other side says more (RFC 9113, section 6.9.2)."""

_LENGTH = struct.Struct(">I")
_SETTING = struct.Struct(">HI")
_INDEXED_LITERAL = 0x0F


class Kind(IntEnum):
    """Types of frames (RFC 9113, section 6)."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Flag(IntEnum):
    """Flags of frames; what one means depends on the type."""

    END_STREAM = 0x1
    ACK = 0x1
    END_HEADERS = 0x4
    PADDED = 0x8
    PRIORITY = 0x20


class Setting(IntEnum):
    """What each side tells of itself (RFC 9113, section 6.5.2)."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5


class NotHttp2(ValueError):
    """What came is not what HTTP/2 allows here: nothing that follows can be trusted."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame that came."""

    kind: int
    """Its type; unknown ones are to be ignored."""
    flags: int
    """Its flags."""
    stream: int
    """Its stream; 0 for the connection."""
    content: bytes
    """What it holds, padding included."""

    def unpadded(self) -> bytes:
        """Return the content of DATA or HEADERS without padding and priority."""
        content = self.content
        if self.flags & Flag.PADDED:
            if not content or content[0] >= len(content):
                raise NotHttp2("a frame is padded beyond its end")
            content = content[1 : len(content) - content[0]]
        if self.kind == Kind.HEADERS and self.flags & Flag.PRIORITY:
            content = content[5:]
        return content


def frame_header(kind: Kind, flags: int, stream: int, size: int) -> bytes:
    """Return the nine bytes in front of a frame's content."""
    return b"%c%b%c%c%b" % (
        size >> 16,
        (size & 0xFFFF).to_bytes(2),
        kind,
        flags,
        _LENGTH.pack(stream),
    )


def frame(kind: Kind, flags: int, stream: int, content: bytes) -> bytes:
    """Return a whole frame."""
    return frame_header(kind, flags, stream, len(content)) + content


def settings(told: Iterable[tuple[Setting, int]]) -> bytes:
    """Return a SETTINGS frame."""
    return frame(Kind.SETTINGS, 0, 0, b"".join(_SETTING.pack(*each) for each in told))


def told_settings(content: bytes) -> Iterator[tuple[int, int]]:
    """Read a SETTINGS frame; raises `NotHttp2`."""
    if len(content) % _SETTING.size:
        raise NotHttp2("SETTINGS of an odd length")
    return _SETTING.iter_unpack(content)


def window_update(stream: int, more: int) -> bytes:
    """Return the frame that lets the other side send more."""
    return frame(Kind.WINDOW_UPDATE, 0, stream, _LENGTH.pack(more))


def number(content: bytes, at: int = 0) -> int:
    """Read 31 bits at a place; raises `NotHttp2` where they are not there."""
    if len(content) < at + _LENGTH.size:
        raise NotHttp2("a frame is too short for what it should hold")
    return int(_LENGTH.unpack_from(content, at)[0]) & MOST_WINDOW


def literal(name: bytes, value: bytes) -> bytes:
    """Return a header field that the other side does not remember (RFC 7541, section 6.2.2)."""
    return b"\0%b%b%b%b" % (_length(len(name)), name, _length(len(value)), value)


def indexed_literal(name: int, value: bytes) -> bytes:
    """Return the same for a name of the static table."""
    if name >= _INDEXED_LITERAL:
        raise ValueError("only the first fourteen names are written in one byte")
    return b"%c%b%b" % (name, _length(len(value)), value)


def _length(size: int) -> bytes:
    """Return a length with a prefix of seven bits (RFC 7541, section 5.1)."""
    if size < 0x7F:
        return b"%c" % size
    rest, encoded = size - 0x7F, bytearray(b"\x7f")
    while rest > 0x7F:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


class Frames:
    """What comes in, cut into frames."""

    def __init__(self, *, max_bytes: int) -> None:
        """A frame with more content than `max_bytes` is refused."""
        self._max_bytes = max_bytes
        self._come = bytearray()

    def cut(self, data: bytes | memoryview) -> list[Frame]:
        """Return the frames that are complete with `data`; raises `NotHttp2`."""
        self._come += data
        frames: list[Frame] = []
        with memoryview(self._come) as come:
            at = 0
            while len(come) - at >= HEADER_BYTES:
                size = int.from_bytes(come[at : at + 3])
                if size > self._max_bytes:
                    raise NotHttp2(f"a frame of {size} bytes")
                begin = at + HEADER_BYTES
                if len(come) < begin + size:
                    break
                at = begin + size
                content = bytes(come[begin:at])
                frames.append(
                    Frame(come[begin - 6], come[begin - 5], _number(come, begin), content)
                )
        del self._come[:at]
        return frames


def _number(come: memoryview, end: int) -> int:
    return int(_LENGTH.unpack_from(come, end - _LENGTH.size)[0]) & MOST_WINDOW
