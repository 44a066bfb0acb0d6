"""Read and write whole HTTP/1.1 messages, as far as a proxy in tests needs them."""

import asyncio
from dataclasses import dataclass, replace

_NO_BODY = frozenset({204, 304})


class NotUnderstood(Exception):
    """A message in a form that these tests do not use."""


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer."""

    start: bytes
    """The first line, without its end."""
    headers: tuple[tuple[bytes, bytes], ...]
    """Names in lower case, with their values."""
    body: bytes
    """All of it."""

    def header(self, name: bytes) -> bytes | None:
        """Return the value of a header; None when it is not there."""
        return dict(self.headers).get(name)

    def without(self, *names: bytes) -> "Message":
        """Leave some headers out."""
        return replace(self, headers=tuple(one for one in self.headers if one[0] not in names))

    @property
    def method(self) -> str:
        """Method of a request."""
        return self.start.split(b" ")[0].decode()

    @property
    def target(self) -> str:
        """Path and query of a request."""
        return self.start.split(b" ")[1].decode()

    @property
    def status(self) -> int:
        """Status of an answer."""
        return int(self.start.split(b" ")[1])

    def __bytes__(self) -> bytes:
        lines = [self.start, *(name + b": " + value for name, value in self.headers)]
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body


async def read_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Message | None:
    """Read the client's next request whole; None when it has left."""
    try:
        head = await _read_head(reader)
        if (head.header(b"expect") or b"").lower() == b"100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await _with_body(head.without(b"expect"), reader)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def read_answer(reader: asyncio.StreamReader, *, method: str) -> Message:
    """Read the server's answer to a request whole; raises `asyncio.IncompleteReadError`."""
    head = await _read_head(reader)
    if method == "HEAD" or head.status in _NO_BODY:
        return head
    return await _with_body(head, reader)


async def _read_head(reader: asyncio.StreamReader) -> Message:
    start, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
    pairs = (line.split(b":", 1) for line in lines)
    return Message(start, tuple((name.lower(), value.strip()) for name, value in pairs), b"")


async def _with_body(head: Message, reader: asyncio.StreamReader) -> Message:
    if head.header(b"transfer-encoding") is not None:
        raise NotUnderstood(f"a body in chunks: {head.start.decode()}")
    length = int(head.header(b"content-length") or 0)
    return replace(head, body=await reader.readexactly(length))
