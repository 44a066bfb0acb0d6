"""Gathered writes: everything arrives, in order, whatever the socket takes at a time."""

import asyncio
import os

import pytest

from inference.gathered import Piece, after, write_gathered


@pytest.mark.parametrize(
    ("size", "left"),
    [(0, [b"ab", b"", b"cde"]), (1, [b"b", b"cde"]), (2, [b"cde"]), (4, [b"e"]), (5, [])],
)
def test_the_first_bytes_are_left_out(size: int, left: list[bytes]) -> None:
    """Wherever in a piece they end; empty pieces are nothing."""
    found = [bytes(each) for each in after([b"ab", b"", b"cde"], size)]
    assert [each for each in found if each] == [each for each in left if each]


async def test_everything_arrives_in_order() -> None:
    """Small ones, ones beyond what a socket holds, and more pieces than the system takes."""
    sent: list[list[Piece]] = [
        [b"small", b"", memoryview(b"er")],
        [os.urandom(3_000_000), memoryview(os.urandom(9_000_000))],
        [b"%d" % number * 100 for number in range(2000)],
        [b"last"],
    ]
    received = asyncio.get_running_loop().create_future()

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.set_result(await reader.read())
        writer.close()

    async with await asyncio.start_server(read, "127.0.0.1", 0) as server:
        address = server.sockets[0].getsockname()
        transport, _ = await asyncio.get_running_loop().create_connection(
            asyncio.Protocol, *address[:2]
        )
        for pieces in sent:
            write_gathered(transport, pieces)
        transport.write_eof()
        whole = await asyncio.wait_for(received, timeout=60)
        transport.close()
    assert whole == b"".join(b"".join(pieces) for pieces in sent)
