"""Keep a connection to one gRPC server for calls of one message for another."""

import asyncio
from collections.abc import Mapping, Sequence

from inference.gathered import Piece
from inference.grpc_fields import CallFailed
from inference.unary import UnaryConnection

_CONNECT_S = 1.0
"""As the stock channel has it: a second one is tried sooner than an answer is given up on."""


class UnaryChannel:
    """A connection that is made by the first call, and again by the first after it has ended.

    Who asks while it is being made shares the attempt. Nobody is told to come later: when a server
    is asked again is for its breaker to say.
    """

    def __init__(self, address: str, *, max_bytes: int) -> None:
        """`address` is `HOST:PORT`, an IPv6 host in brackets."""
        self._address = address
        self._max_bytes = max_bytes
        self._connection: UnaryConnection | None = None
        self._connections: set[UnaryConnection] = set()
        self._connecting: asyncio.Task[UnaryConnection] | None = None
        self._closed = False

    async def call(
        self,
        path: str,
        pieces: Sequence[Piece],
        *,
        timeout_s: float,
        grace_s: float,
        more: Mapping[str, str],
    ) -> bytes:
        """Return the answer; see `UnaryConnection.call`."""
        connection = self._connection
        if connection is None or not connection.usable:
            begun = asyncio.get_running_loop().time()
            connection = await self._connected(timeout_s)
            timeout_s = max(begun + timeout_s - asyncio.get_running_loop().time(), 0.001)
        return await connection.call(path, pieces, timeout_s=timeout_s, grace_s=grace_s, more=more)

    async def close(self, *, within_s: float) -> None:
        """End all connections; what was abandoned may end by itself. Safe to repeat."""
        self._closed = True
        if self._connecting is not None:
            await asyncio.wait([self._connecting])
        closing = [each.close(within_s=within_s) for each in tuple(self._connections)]
        await asyncio.gather(*closing)

    async def _connected(self, timeout_s: float) -> UnaryConnection:
        """Return a connection that can be used; all who wait share one attempt."""
        if self._closed:
            raise CallFailed("UNAVAILABLE", "the connection is closed")
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect(), name="unary-connect")
            self._connecting.add_done_callback(self._note)
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(self._connecting)
        except TimeoutError as error:
            words = f"no connection to {self._address} in time"
            raise CallFailed("DEADLINE_EXCEEDED", words) from error

    def _note(self, attempt: "asyncio.Task[UnaryConnection]") -> None:
        """Remember how an attempt ended."""
        self._connecting = None
        if attempt.cancelled() or attempt.exception() is not None:
            return
        if self._connection is not None:
            self._connection.leave()
        self._connection = attempt.result()

    async def _connect(self) -> UnaryConnection:
        host, _, port = self._address.rpartition(":")
        loop = asyncio.get_running_loop()
        connection: UnaryConnection | None = None
        try:
            async with asyncio.timeout(_CONNECT_S):
                _, connection = await loop.create_connection(
                    self._made, host.strip("[]"), int(port)
                )
                await connection.greeted
        except (OSError, TimeoutError) as error:
            if connection is not None:
                connection.leave()
            said = str(error) or "it does not answer in time"
            raise CallFailed("UNAVAILABLE", f"no connection to {self._address}: {said}") from error
        if not connection.usable:
            raise CallFailed("UNAVAILABLE", f"{self._address} closed the connection at once")
        return connection

    def _made(self) -> UnaryConnection:
        made = UnaryConnection(authority=self._address, max_bytes=self._max_bytes)
        self._connections.add(made)
        made.ended.add_done_callback(lambda _: self._connections.discard(made))
        return made
