"""Write many pieces to a socket at once, from where they lie."""

import asyncio
import contextlib
import os
from collections.abc import Sequence

Piece = bytes | memoryview

_JOINED_BYTES = 1 << 16
"""Up to so many bytes are joined: cheaper than what follows."""
_MOST_PIECES = 512
"""Half of what Linux takes."""


def write_gathered(transport: asyncio.Transport, pieces: Sequence[Piece]) -> None:
    """Write the pieces one after the other; only what the socket does not take now is copied.

    For a transport that is a socket without TLS.
    """
    large = sum(map(len, pieces)) > _JOINED_BYTES
    if large and not transport.get_write_buffer_size() and not transport.is_closing():
        # Whatever is wrong with the socket, the transport finds it as well.
        with contextlib.suppress(OSError):
            file = transport.get_extra_info("socket").fileno()
            pieces = after(pieces, os.writev(file, pieces[:_MOST_PIECES]))
    rest = b"".join(pieces)
    if rest:
        transport.write(rest)


def after(pieces: Sequence[Piece], size: int) -> list[Piece]:
    """Return the pieces without their first bytes."""
    left: list[Piece] = []
    for piece in pieces:
        if size < len(piece):
            left.append(memoryview(piece)[size:] if size else piece)
        size = max(0, size - len(piece))
    return left
