"""Blocks of header fields, as servers write them."""

from collections.abc import Iterable

import pytest
from hpack import Encoder

from inference.grpc_fields import Fields
from inference.http2 import NotHttp2

LATE = (
    b"\x00\x07:status\x03200\x00\x0ccontent-type\x10application/grpc"
    b"\x00\x0bgrpc-status\x014\x00\x0cgrpc-message\x11Deadline Exceeded"
)
"""What a server of gRPC 1.85 sent when the first call of a connection was late: it does not begin
with the change of the table's size that it was told of."""

ANSWER = {":status": "200", "content-type": "application/grpc", "x-model": "flights"}


def block(encoder: Encoder, fields: dict[str, str]) -> bytes:
    """Have a library write the fields; it remembers what it may."""
    told: Iterable[tuple[str, str]] = fields.items()
    return bytes(encoder.encode(list(told), huffman=False))


def test_a_late_first_call_spoils_nothing() -> None:
    """What follows is read, with the change of the size and after it."""
    reader, encoder = Fields(), Encoder()
    assert reader.read(LATE)["grpc-status"] == "4"
    encoder.header_table_size = 0
    for _ in range(3):
        assert reader.read(block(encoder, ANSWER)) == ANSWER
        assert reader.read(LATE)["grpc-status"] == "4"


def test_a_server_that_remembers_is_understood() -> None:
    """The same bytes mean something else each time, as long as nothing else was said."""
    reader, encoder = Fields(), Encoder()
    others = [ANSWER | {"x-model": name} for name in "abcabc"]
    for fields in others:
        assert reader.read(block(encoder, fields)) == fields
    encoder.header_table_size = 0
    for fields in others:
        assert reader.read(block(encoder, fields)) == fields
    encoder.header_table_size = 4096
    for fields in others * 2:
        assert reader.read(block(encoder, fields)) == fields


@pytest.mark.parametrize("damaged", [b"\xff\xff\xff\xff\xff", b"\xbe", LATE[:-3]])
def test_what_is_damaged_is_refused(damaged: bytes) -> None:
    """A place in the table that holds nothing, a length that goes beyond the block."""
    with pytest.raises(NotHttp2, match="cannot be read"):
        Fields().read(damaged)
