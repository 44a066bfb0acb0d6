"""Write the header fields of a gRPC call, read those of its answer."""

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote

from hpack import Decoder, HPACKError

from inference.http2 import NotHttp2, indexed_literal, literal

_CODES = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND"),
    *("ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION"),
    *("ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"),
    "UNAUTHENTICATED",
)
"""By their numbers."""
_OF_HTTP = {
    "401": "UNAUTHENTICATED",
    "403": "PERMISSION_DENIED",
    "404": "UNIMPLEMENTED",
    "429": "UNAVAILABLE",
    "502": "UNAVAILABLE",
    "503": "UNAVAILABLE",
    "504": "UNAVAILABLE",
}
"""What stands for a status without gRPC's own ("HTTP to gRPC Status Code Mapping")."""
_OF_RESET = {7: "UNAVAILABLE", 8: "CANCELLED", 11: "RESOURCE_EXHAUSTED", 12: "PERMISSION_DENIED"}
"""What a reset stands for ("HTTP2 Transport Mapping" of gRPC over HTTP/2)."""
_POST_OVER_HTTP = b"\x83\x86"
_AUTHORITY, _PATH = 1, 4
_US = 1_000_000
_MOST_TIMEOUT_US = 99_999_999
"""Eight digits are the most."""
_KNOWN_BLOCKS = 64


class CallFailed(Exception):
    """A call without an answer."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(code, words)
        self.code = code
        """The name of gRPC's status."""
        self.words = words
        """What the server said, or what happened to the connection."""


def request_head(authority: str, path: str, timeout_s: float, more: Mapping[str, str]) -> bytes:
    """Return the block of fields of a call; `more` are ASCII fields with names in lower case."""
    timeout_us = int(timeout_s * _US)
    timeout = f"{timeout_us}u" if timeout_us <= _MOST_TIMEOUT_US else f"{timeout_us // 1000}m"
    told = [literal(name.encode(), value.encode()) for name, value in more.items()]
    return b"".join(
        (_always(authority, path), literal(b"grpc-timeout", timeout.encode()), *told),
    )


@lru_cache(maxsize=256)
def _always(authority: str, path: str) -> bytes:
    return b"".join(
        (
            _POST_OVER_HTTP,
            indexed_literal(_PATH, path.encode()),
            indexed_literal(_AUTHORITY, authority.encode()),
            literal(b"te", b"trailers"),
            literal(b"content-type", b"application/grpc"),
            literal(b"user-agent", b"nightshift"),
        )
    )


class Fields:
    """Reads blocks of fields from a side that was told to remember none of them.

    Once it has none, a block means the same whenever it comes, and almost all are one of a few.
    The first block should begin with the word that nothing is remembered. Servers of gRPC write
    one without it by hand where the first call's deadline passes: until the word has come, a block
    is read as if they had not been told.
    """

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._known: dict[bytes, Mapping[str, str]] = {}

    def read(self, block: bytes) -> Mapping[str, str]:
        """Return the fields by name; raises `NotHttp2`."""
        if self._decoder.header_table_size:
            return self._read(block)
        known = self._known.get(block)
        if known is None:
            known = self._read(block)
            if len(self._known) < _KNOWN_BLOCKS and not self._decoder.header_table_size:
                self._known[block] = known
        return known

    def _read(self, block: bytes) -> Mapping[str, str]:
        try:
            return {
                bytes(name).decode("latin-1"): bytes(value).decode("latin-1")
                for name, value in self._decoder.decode(block, raw=True)
            }
        except HPACKError as error:
            raise NotHttp2(f"a block of fields cannot be read: {error}") from error


def failure_of(told: Mapping[str, str]) -> CallFailed | None:
    """Return the failure that the fields of an answer tell of, None for success."""
    status = told.get("grpc-status")
    if status is None:
        http = told.get(":status", "")
        return CallFailed(_OF_HTTP.get(http, "UNKNOWN"), f"HTTP status {http or 'unknown'}")
    if status == "0":
        return None
    known = status.isdecimal() and int(status) < len(_CODES)
    code = _CODES[int(status)] if known else "UNKNOWN"
    return CallFailed(code, unquote(told.get("grpc-message", "")))


def code_of_reset(code: int) -> str:
    """Return the name of the status for a call that the server has reset."""
    return _OF_RESET.get(code, "INTERNAL")
