"""Send inference requests over HTTP connections that stay open, as leanly as Python can."""

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

_LIMIT = 1 << 20
_OK = 200


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    """The HTTP status."""
    body: bytes
    """The body, whole."""
    json_bytes: int | None
    """How much of the body is JSON where tensors follow it."""

    @property
    def ok(self) -> bool:
        """Whether it is an answer."""
        return self.status == _OK


class Client:
    """Connections to one address, opened as they are needed; for one event loop."""

    def __init__(self, port: int, *, host: str = "127.0.0.1") -> None:
        self._host = host
        self._port = port
        self._idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()

    async def send(self, request: bytes) -> Reply:
        """Return the reply; raises `OSError` or `EOFError` where the connection fails."""
        reader, writer = self._open() or await asyncio.open_connection(
            self._host, self._port, limit=_LIMIT
        )
        try:
            writer.write(request)
            reply, stays = await _read(reader)
        except BaseException:
            writer.close()
            raise
        if stays:
            self._idle.append((reader, writer))
        else:
            writer.close()
        return reply

    def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """Return a connection that the server has not closed, or None."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return None

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop()[1].close()


def infer_request(path: str, features: np.ndarray, headers: Mapping[str, str]) -> bytes:
    """Return a whole V2 request with a binary input `features` and a binary output `score`."""
    content = np.ascontiguousarray(features, dtype="<f4").tobytes()
    told = {
        "inputs": [
            {
                "name": "features",
                "datatype": "FP32",
                "shape": list(features.shape),
                "parameters": {"binary_data_size": len(content)},
            }
        ],
        "outputs": [{"name": "score", "parameters": {"binary_data": True}}],
    }
    text = json.dumps(told).encode()
    lines = {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(text)),
    }
    return _request(path, lines | dict(headers), text + content)


def json_request(path: str, features: np.ndarray, headers: Mapping[str, str]) -> bytes:
    """Return the same request with everything in JSON, its answer as well."""
    told = {
        "inputs": [
            {
                "name": "features",
                "datatype": "FP32",
                "shape": list(features.shape),
                "data": features.ravel().tolist(),
            }
        ]
    }
    return _request(
        path, {"Content-Type": "application/json", **headers}, json.dumps(told).encode()
    )


def _request(path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = {"Host": "bench", "Content-Length": str(len(body)), **headers}
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items())
    return head.encode() + b"\r\n" + body


def scores(reply: Reply) -> np.ndarray:
    """Return the binary output of a reply: float32[n]."""
    return np.frombuffer(reply.body[reply.json_bytes :], dtype="<f4")


async def _read(reader: asyncio.StreamReader) -> tuple[Reply, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    told = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    body = await reader.readexactly(int(told.get("content-length", "0")))
    json_bytes = told.get("inference-header-content-length")
    reply = Reply(int(first.split(" ", 2)[1]), body, int(json_bytes) if json_bytes else None)
    return reply, told.get("connection", "").lower() != "close"
