"""Connections: what is answered without h11 is answered as with it."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from api.connection import Connection
from api.plain_cycle import LARGE_BYTES

LARGE = bytes(range(256)) * (LARGE_BYTES // 128)
OURS: Callable[..., asyncio.Protocol] = partial(Connection, scratch=memoryview(bytearray(4096)))


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Say what came; `/stream` in two pieces of unknown length, `/unread` without the body."""
    body = b""
    while scope["path"] != "/unread":
        message = await receive()
        body += message["body"]
        if not message["more_body"]:
            break
    told = {name: scope[name] for name in ("method", "path", "http_version")}
    told |= {
        "query": scope["query_string"].decode(),
        "headers": [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]],
        "body": [len(body), hashlib.sha256(body).hexdigest()],
    }
    answer = json.dumps(told).encode()
    length = [] if scope["path"] == "/stream" else [(b"content-length", b"%d" % len(answer))]
    closing = [(b"connection", b"close")] if scope["path"] == "/last" else []
    await send({"type": "http.response.start", "status": 200, "headers": length + closing})
    await send({"type": "http.response.body", "body": answer[:9], "more_body": True})
    await send({"type": "http.response.body", "body": answer[9:]})


@asynccontextmanager
async def listening(protocol: Callable[..., asyncio.Protocol], app: Any) -> AsyncIterator[int]:
    """Serve `app` for the length of the block; give the port."""
    config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()[1]
        for connection in tuple(state.connections):
            assert isinstance(connection, H11Protocol)
            connection.transport.close()


async def said(protocol: Callable[..., asyncio.Protocol], sent: bytes, app: Any = echo) -> bytes:
    """Return everything that comes back before the connection closes; the last request asks so."""
    async with listening(protocol, app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        answer = await asyncio.wait_for(reader.read(), timeout=60)
        writer.close()
        return answer


def request(path: str, body: bytes = b"", *lines: str) -> bytes:
    """Return a request."""
    length = [f"Content-Length: {len(body)}"] if body else []
    head = "\r\n".join([f"POST {path} HTTP/1.1", "Host: a", *length, *lines])
    return head.encode() + b"\r\n\r\n" + body


LAST = request("/last")
CHUNKED = request("/chunked", b"", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        LAST,
        request("/a%20b?c=d", b"body", "X-Twice: 1", "X-Twice: 2") + LAST,
        request("/stream", b"body") + LAST,
        request("/one") + request("/two", b"2") + request("/three", b"33") + LAST,
        request("/large", LARGE) + request("/next", b"body") + LAST,
        request("/large", LARGE) + request("/large", LARGE) + LAST,
        request("/unread", b"x" * 9000) + request("/next", b"body") + LAST,
        request("/unread", LARGE) + request("/next", b"body") + LAST,
        CHUNKED + request("/plain", b"body") + CHUNKED + LAST,
        request("/plain", b"body") + CHUNKED + CHUNKED + LAST,
        request("/close", b"body", "Connection: close"),
    ],
)
async def test_it_answers_as_uvicorn_does(sent: bytes) -> None:
    """The same bytes come back, whatever is plain of what was sent."""
    assert await said(OURS, sent) == await said(H11Protocol, sent)


@pytest.mark.parametrize(
    "wrong",
    [
        request("/wrong", b"", "Content-Length: x"),
        b"GET / HTTP/1.1\r\n\r\n",
        b"no request at all\r\n\r\n",
    ],
)
async def test_what_is_wrong_is_refused_behind_what_is_not(wrong: bytes) -> None:
    """After the answer to what came before, as if nothing had come before."""
    plain = request("/plain", b"body")
    _, _, answered = (await said(H11Protocol, plain + LAST)).rpartition(b"HTTP/1.1 200 OK")
    whole = await said(H11Protocol, plain + LAST)
    before = whole.removesuffix(b"HTTP/1.1 200 OK" + answered)
    assert await said(OURS, plain + wrong) == before + await said(H11Protocol, wrong)


async def test_a_head_in_pieces_is_answered() -> None:
    """Where the head does not come at once, what comes later is not lost."""
    sent = request("/pieces", b"body")
    for cut in (1, 20, len(sent) - 6, len(sent) - 2):
        async with listening(OURS, echo) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent[:cut])
            await writer.drain()
            await asyncio.sleep(0.01)
            writer.write(sent[cut:] + LAST)
            answer = await asyncio.wait_for(reader.read(), timeout=60)
            writer.close()
        assert answer == await said(H11Protocol, sent + LAST)


async def test_a_large_body_lies_in_one_memory() -> None:
    """Its pieces are views of it, one behind the other, so that they need not be joined."""
    pieces: list[memoryview] = []

    async def keep(scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            message = await receive()
            pieces.append(message["body"])
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    await said(OURS, request("/", LARGE) + b"end\r\n\r\n", keep)
    assert bytes(pieces[0].obj) == LARGE
    assert [piece.obj is pieces[0].obj for piece in pieces] == [True] * len(pieces)
    assert b"".join(pieces) == LARGE


@pytest.mark.parametrize("body", [b"short", b"too long by far"])
async def test_an_answer_of_another_length_ends_the_connection(body: bytes) -> None:
    """Nothing that follows could be told from it."""

    async def wrong(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"9")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    assert await said(OURS, request("/") + LAST, wrong) == b""


async def test_the_client_that_goes_is_noticed() -> None:
    """Whoever waits for more of the body, or for the client to go, is told."""
    messages: list[Message] = []
    begun, done = asyncio.Event(), asyncio.Event()

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        messages.append(await receive())
        begun.set()
        messages.append(await receive())
        done.set()

    async with listening(OURS, wait) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("/", b"body"))
        await asyncio.wait_for(begun.wait(), timeout=60)
        writer.close()
        await asyncio.wait_for(done.wait(), timeout=60)
    assert messages == [
        {"type": "http.request", "body": b"body", "more_body": False},
        {"type": "http.disconnect"},
    ]
