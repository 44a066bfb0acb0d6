"""Stand for a network that may be cut between one client and its server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Cut:
    """A way to a port on loopback that carries everything until it is cut.

    Then it swallows, as a network does that drops packets: nobody hears of an end.
    """

    def __init__(self, port: int) -> None:
        """Carry to `port`."""
        self.port = 0
        """Where clients connect."""
        self._to = port
        self._whole = asyncio.Event()
        self._whole.set()

    def cut(self) -> None:
        """Carry nothing from now on."""
        self._whole.clear()

    def mend(self) -> None:
        """Carry on, with what was swallowed meanwhile: late, as a network may."""
        self._whole.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Cut"]:
        """Listen for the length of the block."""
        open_ways: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            open_ways.add(task)
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
            try:
                async with asyncio.TaskGroup() as ways:
                    ways.create_task(self._carry(reader, far_writer))
                    ways.create_task(self._carry(far_reader, writer))
            finally:
                for each in (writer, far_writer):
                    each.close()
                open_ways.discard(task)

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for way in list(open_ways):
                way.cancel()
            await asyncio.gather(*open_ways, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
            writer.write_eof()
