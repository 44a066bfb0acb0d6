"""Name a file by its bytes."""

import hashlib
from pathlib import Path


def file_digest(path: Path) -> str:
    """Return `sha256:…` of the file's bytes, read in pieces; raises `OSError`."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
