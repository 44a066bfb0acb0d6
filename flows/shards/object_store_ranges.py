"""Read ranges of an S3 object as if it were a file."""

import asyncio
import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Any

import fsspec.asyn
from s3fs.core import S3_RETRYABLE_ERRORS

PIECE_BYTES = 8 * 2**20
"""Largest range asked for in one request: a larger read goes out as several at once, since one
stream from S3 carries about 50 to 100 MB/s whatever the link."""


def get_object(fs: Any, request: Mapping[str, str], *, tries: int) -> tuple[bytes, dict[str, Any]]:
    """Return the body of one `GetObject` with the answer's fields.

    Repeats when the body breaks off: requests are repeated by botocore, bodies by nobody. Raises
    what s3fs raises.
    """
    result: tuple[bytes, dict[str, Any]] = fsspec.asyn.sync(fs.loop, _get, fs, request, tries)
    return result


def get_range(fs: Any, request: Mapping[str, str], start: int, stop: int, *, tries: int) -> bytes:
    """Return bytes `start` to `stop` of an object, in several requests at once when they are many.

    Raises what s3fs raises.
    """
    data: bytes = fsspec.asyn.sync(fs.loop, _get_pieces, fs, request, start, stop, tries)
    return data


async def _get_pieces(
    fs: Any, request: Mapping[str, str], start: int, stop: int, tries: int
) -> bytes:
    edges = [*range(start, stop, PIECE_BYTES), stop]
    pieces = await asyncio.gather(
        *(
            _get(fs, {**request, "Range": f"bytes={first}-{last - 1}"}, tries)
            for first, last in pairwise(edges)
        )
    )
    return pieces[0][0] if len(pieces) == 1 else b"".join(data for data, _ in pieces)


async def _get(fs: Any, request: Mapping[str, str], tries: int) -> tuple[bytes, dict[str, Any]]:
    for _ in range(tries - 1):
        answer = await fs._call_s3("get_object", **request)
        with suppress(*S3_RETRYABLE_ERRORS):
            return await _body(answer), answer
    answer = await fs._call_s3("get_object", **request)
    return await _body(answer), answer


async def _body(answer: Mapping[str, Any]) -> bytes:
    async with answer["Body"] as body:
        data: bytes = await body.read()
    return data


class RangeFile(io.RawIOBase):
    """A read-only file of known size over a function that reads a range.

    Holds no bytes: whoever reads decides how much to fetch at a time. Not safe to use from two
    threads at once.
    """

    def __init__(self, read_range: Callable[[int, int], bytes], size: int) -> None:
        self._read_range = read_range
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The position of the next read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to `offset` from the start, the position or the end; returns the new position."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Return `size` bytes, fewer only at the end; all that are left when negative."""
        left = max(0, self._size - self._position)
        count = left if size is None or size < 0 else min(size, left)
        if count == 0:
            return b""
        data = self._read_range(self._position, self._position + count)
        self._position += len(data)
        return data
