"""Undo and do the compression that the protocol has: gzip, and deflate in zlib's form."""

import zlib

from api.problems import Refused
from api.v2.kinds import CODING, TOO_LARGE_DECODED, malformed

CODINGS = ("gzip", "deflate")

_WINDOW = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
_LEVEL = 1
"""The fastest: tensors of measured numbers hardly shrink more at higher levels."""
_AT_ONCE = 1 << 20
"""Bytes that are decompressed at a time while they are only counted."""


def decompressed_bytes(body: bytes | memoryview, coding: str, max_bytes: int) -> int:
    """Return how large the body becomes; raises `Refused` beyond `max_bytes`, or for other bytes.

    Nothing is kept, so that a bomb takes no memory.
    """
    if coding not in _WINDOW:
        raise Refused(
            CODING,
            f"Content-Encoding {coding[:40]!r} is not known here: send gzip, deflate or neither",
            headers={"Accept-Encoding": ", ".join(CODINGS)},
        )
    try:
        return _count(body, coding, max_bytes)
    except zlib.error as error:
        raise malformed(f"the body is not {coding}: {error}") from error


def decompressed(body: bytes | memoryview, coding: str) -> bytes:
    """Return what was compressed, of a body that `decompressed_bytes` has accepted."""
    return zlib.decompress(body, wbits=_WINDOW[coding])


def compressed(piece: bytes, coding: str) -> bytes:
    """Return the bytes compressed."""
    return zlib.compress(piece, _LEVEL, wbits=_WINDOW[coding])


def wanted_coding(accepted: str | None) -> str | None:
    """Return the coding of the answer for an `Accept-Encoding`; None for none.

    Only who names one coding alone gets it, as stock clients do when they are told to compress:
    lists are what HTTP libraries send by themselves, and compressing costs more than it gains.
    """
    named = (accepted or "").strip().lower()
    return named if named in CODINGS else None


def _count(body: bytes | memoryview, coding: str, max_bytes: int) -> int:
    stream = zlib.decompressobj(_WINDOW[coding])
    size, rest = 0, body
    while not stream.eof:
        plain = stream.decompress(rest, _AT_ONCE)
        rest = stream.unconsumed_tail
        size += len(plain)
        if size > max_bytes:
            words = f"this path takes bodies of at most {max_bytes} bytes, decompressed"
            raise Refused(TOO_LARGE_DECODED, words, members={"max_bytes": max_bytes})
        if not plain and not rest:
            break
    _check_end(stream.eof, stream.unused_data)
    return size


def _check_end(complete: bool, behind: bytes) -> None:
    if not complete:
        raise malformed("the compressed body is cut off")
    if behind:
        raise malformed(f"{len(behind)} bytes follow the compressed body")
