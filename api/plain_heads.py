"""Read those heads of HTTP/1.1 requests that are as almost all are."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus

LONGEST_HEAD = 16_384
"""As h11's own bound."""

_NAME = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_FIELD = rb"(?:%b:[ \t]*+(?:[!-~](?:[\t -~]*[!-~])?)?[ \t]*\r\n)" % _NAME
_HEAD = re.compile(rb"(GET|POST|PUT|PATCH|DELETE) (/[!-~]*+) HTTP/1\.1\r\n(%b++)\r\n" % _FIELD)
_FIELDS = re.compile(rb"([^:\r\n]++):[ \t]*+((?:[!-~](?:[\t -~]*[!-~])?)?)[ \t]*\r\n")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_CHANGES_THE_REST = frozenset((b"transfer-encoding", b"expect", b"upgrade", b"trailer", b"te"))
"""Fields that say how the rest of the connection is to be read."""


@dataclass(frozen=True, slots=True)
class PlainHead:
    """The head of a request whose body has the length that it says, before one like it."""

    method: str
    """One that has a body, or GET."""
    target: bytes
    """From its first `/` on, nothing undone."""
    fields: list[tuple[bytes, bytes]]
    """Names in lower case with their values, in the order sent."""
    body_bytes: int
    """Length of what follows."""


def plain_head(head: bytes) -> PlainHead | None:
    """Return what a head, with the empty line that ends it, says; None for any other.

    What is not plain is not wrong: it is for a parser that knows all of HTTP. So this one takes no
    more than RFC 9112 allows: one `Host`, one length at most, no transfer coding, nothing folded,
    ASCII only.
    """
    found = _HEAD.fullmatch(head)
    if found is None:
        return None
    method, target, block = found.groups()
    fields = [(name.lower(), value) for name, value in _FIELDS.findall(block)]
    hosts, length = 0, None
    for name, value in fields:
        if name == b"host":
            hosts += 1
        elif name == b"content-length":
            if length is not None or not _LENGTH.fullmatch(value):
                return None
            length = int(value)
        elif name in _CHANGES_THE_REST or (
            name == b"connection" and value.lower() != b"keep-alive"
        ):
            return None
    return PlainHead(method.decode(), target, fields, length or 0) if hosts == 1 else None


def answer_head(status: int, fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return the head of an answer; raises `ValueError` for a field that would end its line."""
    block = b"".join([b"%b: %b\r\n" % field for field in fields])
    if block.count(b"\n") != len(fields) or block.count(b"\r") != len(fields) or b"\0" in block:
        raise ValueError("a field of an answer holds the end of a line")
    return b"%b%b\r\n" % (_status_line(status), block)


@lru_cache(maxsize=64)
def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")
