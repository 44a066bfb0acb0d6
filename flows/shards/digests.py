"""Tell whether an object still holds the bytes that were written.

A part's footer holds the SHA-256 of all that lies before it, and the manifest that of the footer:
so a part carries its digest from its commit on, whoever publishes it, and nothing is read again.
"""

import hashlib
from pathlib import Path
from typing import Any

DIGEST_KEY = "nightshift.sha256"
"""Key of the Parquet footer's metadata under which the digest of all before it stands, in hex."""
_PIECE_BYTES = 8 * 2**20
"""Bytes read at a time: one request to S3."""


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hex; a file just written is read from memory."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def digest_of_bytes(data: bytes) -> str:
    """Return the SHA-256 of `data`, in hex."""
    return hashlib.sha256(data).hexdigest()


def digest_of_start(source: Any, size: int) -> str:
    """Return the SHA-256 of the first `size` bytes of an open object, in hex."""
    digest = hashlib.sha256()
    while size > 0 and (piece := source.read(min(size, _PIECE_BYTES))):
        digest.update(piece)
        size -= len(piece)
    return digest.hexdigest()
