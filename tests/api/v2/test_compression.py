"""Compressed bodies."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from api.problems import Refused
from api.v2.compression import compressed, decompressed, decompressed_bytes, wanted_coding

MOST = 3 << 20
PACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}


@pytest.mark.parametrize("coding", PACK)
@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, MOST])
def test_what_was_packed_comes_back(coding: str, size: int) -> None:
    """Its size is known before, around the piece that is counted at a time and at the limit."""
    plain = bytes(size)
    for packed in (PACK[coding](plain), compressed(plain, coding)):
        assert decompressed_bytes(packed, coding, MOST) == size
        assert decompressed(packed, coding) == plain


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (gzip.compress(bytes(MOST + 1)), 413),
        (gzip.compress(b"abc")[:-3], 400),
        (gzip.compress(bytes(2 << 20))[:-3], 400),
        (gzip.compress(b"abc") + b"more", 400),
        (gzip.compress(bytes(2 << 20)) + b"more", 400),
        (zlib.compress(b"abc"), 400),
        (b"", 400),
    ],
    ids=["large", "cut", "large and cut", "more behind", "large, more behind", "deflate", "empty"],
)
def test_what_is_no_packed_body_is_refused(body: bytes, status: int) -> None:
    """Too large, cut off, with something behind, of another coding, empty."""
    with pytest.raises(Refused) as raised:
        decompressed_bytes(body, "gzip", MOST)
    assert raised.value.kind.status == status


def test_an_unknown_coding_is_refused() -> None:
    """With those that are known."""
    with pytest.raises(Refused, match="'br' is not known") as raised:
        decompressed_bytes(b"", "br", MOST)
    assert raised.value.kind.status == 415


def test_a_bomb_takes_no_memory() -> None:
    """It is counted a piece at a time, and never kept."""
    bomb = gzip.compress(bytes(256 << 20), 1)
    tracemalloc.start()
    try:
        with pytest.raises(Refused):
            decompressed_bytes(bomb, "gzip", 64 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, None),
        ("gzip", "gzip"),
        (" Deflate ", "deflate"),
        ("gzip, deflate, br", None),
        ("br", None),
        ("*", None),
    ],
)
def test_only_who_names_one_coding_gets_it(accepted: str | None, coding: str | None) -> None:
    """Lists come from libraries that nobody told to compress."""
    assert wanted_coding(accepted) == coding
