"""Stand before an S3 server: `python s3_front.py PORT SERVER_PORT ORDERS`.

It takes the clients' connections and passes bytes on, so that killing it cuts them off in the
middle of whatever they do, while the objects stay with the server. The file ORDERS may name a
process to kill: `{"point": "after:put:part", "skip": 2, "pid": 123}` kills it at the third put of a
part, when the server has answered and before the client is told; `before`, when only we know of
the request. It is carried out once.
"""

import asyncio
import json
import os
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path

from tests.faults.failpoints import object_of

_REQUEST = re.compile(rb"(PUT|DELETE) /[^/ ?]+/[^/ ?]+/([^ ?]+)[^ ]* HTTP/1\.1\r\n")
"""The first line of a request that changes an object below a folder of a bucket."""
_OPERATIONS = {b"PUT": "put", b"DELETE": "delete"}


class Front:
    """Passes bytes on until it is killed."""

    def __init__(self, server_port: int, orders: Path) -> None:
        self._server_port = server_port
        self._orders = orders
        self._passed = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect a client with the server until one of them ends."""
        behind = await asyncio.open_connection("127.0.0.1", self._server_port)
        running: list[str] = []
        tasks = [
            asyncio.create_task(self._requests(reader, behind[1], running)),
            asyncio.create_task(self._answers(behind[0], writer, running)),
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for end in (writer, behind[1]):
            end.close()

    async def _requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, running: list[str]
    ) -> None:
        while data := await reader.read(2**16):
            if request := _REQUEST.match(data):
                name = f"{_OPERATIONS[request[1]]}:{object_of(request[2].decode())}"
                running[:] = [name]
                self._reach(f"before:{name}")
            writer.write(data)
            await writer.drain()

    async def _answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, running: list[str]
    ) -> None:
        while data := await reader.read(2**16):
            # An interim answer is none; the final one may follow in the same bytes.
            interim = data.startswith(b"HTTP/1.1 100") and data.count(b"HTTP/1.1 ") == 1
            if running and not interim:
                self._reach(f"after:{running.pop()}")
            writer.write(data)
            await writer.drain()

    def _reach(self, name: str) -> None:
        """Kill whom the orders name if it is time."""
        try:
            orders = json.loads(self._orders.read_text())
        except FileNotFoundError:
            return
        if orders["point"] != name:
            return
        self._passed += 1
        if self._passed > orders["skip"]:
            self._passed = 0
            self._orders.unlink()
            with suppress(ProcessLookupError):
                os.kill(orders["pid"], signal.SIGKILL)


async def main(port: int, server_port: int, orders: Path) -> None:
    """Serve for ever."""
    front = Front(server_port, orders)
    server = await asyncio.start_server(front.serve, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
