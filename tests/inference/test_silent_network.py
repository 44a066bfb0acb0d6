"""A network that swallows everything: no refusal, no reset, no answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import grpc.aio
import numpy as np
import pytest
from tritonclient.grpc import service_pb2

from cli.stack.triton import LocalTriton
from inference import errors, wire
from inference.failures import failure
from inference.pool import Pool
from inference.settings import InferenceSettings
from inference.tensors import InferRequest
from inference.triton import TritonServer

pytestmark = pytest.mark.triton

SETTINGS = InferenceSettings(
    triton_urls=("unused",), attempt_timeout_s=3.0, probe_timeout_s=3.0, shared_memory=False
)


class Cable:
    """A way to a server that can be cut without anybody being told."""

    def __init__(self) -> None:
        self.url = ""
        self.is_cut = False
        self._ends: list[asyncio.StreamWriter] = []
        self._carrying: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def to(self, target: str) -> AsyncIterator["Cable"]:
        """Carry bytes between a free port and `target` for the length of the block."""
        host, _, port = target.removeprefix("grpc://").rpartition(":")

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
            self._ends += [writer, far_writer]
            self._carrying += [
                asyncio.create_task(self._carry(reader, far_writer)),
                asyncio.create_task(self._carry(far_reader, writer)),
            ]

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.url = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for end in self._ends:
                end.close()
            await asyncio.gather(*self._carrying)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                if not self.is_cut:
                    writer.write(data)
                    await writer.drain()


def sleeping(seconds: float) -> InferRequest:
    """Return a request that the model thinks about for so long."""
    x = np.full((1, 1), -1000.0 - 1000 * seconds, dtype=np.float32)
    return InferRequest("faulty", "1", {"x": x}, ("y",), 1)


async def test_an_attempt_ends_at_its_limit(triton: LocalTriton) -> None:
    """The server may be at work still; nobody says."""
    async with Cable().to(triton.grpc_url) as cable, AsyncExitStack() as stack:
        server = TritonServer(cable.url, settings=SETTINGS)
        stack.push_async_callback(server.close)
        assert await server.live()
        cable.is_cut = True
        with pytest.raises(errors.DeadlineExceeded):
            await server.infer(sleeping(0), timeout_s=0.5)


async def test_another_server_answers(triton: LocalTriton) -> None:
    """The pool asks the next one when the first has not answered in time."""
    async with Cable().to(triton.grpc_url) as cable, AsyncExitStack() as stack:
        servers = [TritonServer(url, settings=SETTINGS) for url in (cable.url, triton.grpc_url)]
        pool = await stack.enter_async_context(Pool(servers, SETTINGS))
        await pool.ready("faulty", "1")
        cable.is_cut = True
        good = InferRequest("faulty", "1", {"x": np.ones((1, 1), np.float32)}, ("y",), 1)
        answers = await asyncio.gather(*(pool.infer(good) for _ in range(8)))
    assert {answer.server for answer in answers} == {triton.grpc_url}
    assert [answer.outputs["y"].item() for answer in answers] == [2.0] * 8


async def test_a_client_that_pings_is_told_of_the_silence(triton: LocalTriton) -> None:
    """Ours does not ping, as Triton cuts those that ping often; a proxy between may do so."""
    options = [
        ("grpc.keepalive_time_ms", 1000),
        ("grpc.keepalive_timeout_ms", 500),
        ("grpc.http2.ping_timeout_ms", 500),
    ]
    async with Cable().to(triton.grpc_url) as cable, AsyncExitStack() as stack:
        channel = grpc.aio.insecure_channel(cable.url, options=options)
        stack.push_async_callback(channel.close)
        call = channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer",
            response_deserializer=service_pb2.ModelInferResponse.FromString,
        )
        await channel.channel_ready()
        asked = asyncio.ensure_future(call(wire.encode(sleeping(20), mapped=()), timeout=60))
        await asyncio.sleep(0.1)
        cable.is_cut = True
        with pytest.raises(grpc.aio.AioRpcError) as told:
            await asked
    code, words = told.value.code().name, told.value.details() or ""
    assert (code, "ping timeout" in words) == ("UNAVAILABLE", True), words
    assert type(failure(code, words, server="a")) is errors.ServerUnreachable
