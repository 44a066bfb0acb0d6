"""A gRPC server of grpc.aio for calls of one message for another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import grpc.aio

MEBIBYTE = 1 << 20


@dataclass(slots=True)
class Service:
    """What it does, and what it has seen."""

    port: int = 0
    """Where it listens, on loopback."""
    waiting: int = 0
    """Calls of `/t/Wait` that are under way."""
    cancelled: int = 0
    """Calls of `/t/Wait` that were cancelled there."""
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    """Ends the calls of `/t/Wait`."""

    async def echo(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        """Return what was sent."""
        return request

    async def told(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        """Return what was told besides the message."""
        told = dict(context.invocation_metadata() or ())
        return f"{told.get('traceparent')} {context.time_remaining():.0f}".encode()

    async def fail(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        """End with the status and words of the request, `CODE words`."""
        name, _, words = request.decode().partition(" ")
        await context.abort(grpc.StatusCode[name], words)
        raise AssertionError

    async def wait(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        """Return what was sent once it may go on."""
        self.waiting += 1
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.waiting -= 1
        return request


@asynccontextmanager
async def serving(service: Service) -> AsyncIterator[grpc.aio.Server]:
    """Run it for the length of the block, again at its port where it has one."""
    options = [("grpc.max_receive_message_length", 64 * MEBIBYTE), ("grpc.so_reuseport", 0)]
    server = grpc.aio.server(options=options)
    methods = {
        name.title(): grpc.unary_unary_rpc_method_handler(getattr(service, name))
        for name in ("echo", "told", "fail", "wait")
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t", methods),))
    service.port = server.add_insecure_port(f"127.0.0.1:{service.port}")
    await server.start()
    try:
        yield server
    finally:
        await server.stop(grace=None)
