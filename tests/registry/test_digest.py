"""Check that a file is named by its bytes."""

import hashlib
from pathlib import Path

import pytest

from registry.digest import file_digest


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    """A file larger than any buffer gives the sha256 of all of it."""
    data = b"0123456789abcdef" * 100_000
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    assert file_digest(path) == f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """There is no digest of nothing."""
    with pytest.raises(FileNotFoundError):
        file_digest(tmp_path / "gone")
