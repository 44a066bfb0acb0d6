"""Requests that no client library would send: each is answered or closed, none is a fault."""

import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from api.models.examples import DRAFT
from cli.stack.process import LOOPBACK
from tests.api import tokens
from tests.api.gateway.probe import probe
from tests.chaos.seeds import Chaos

HANG_S, LOADED_HANG_S = 5.0, 60.0
"""When an answer is a hang: on a machine of its own, and beside other tests."""
AT_ONCE = 32
SOON: dict[str, Any] = {"API_BODY_GRACE_S": "1", "API_BODY_PAUSE_S": "1", "API_HEAD_TIMEOUT_S": "1"}
"""How long the sample waits for whoever stops in the middle; the long form waits as is usual."""
TOKEN = tokens.bearer()["Authorization"]
ODD = (
    *(
        b"\x00",
        b"\xff\xfe",
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\t",
        b" ",
        b":",
        b"%00",
        b"%2e%2e/",
    ),
    *(b"../", b"\\", b"?" * 300, b"/" * 300, b"A" * 9000, b"\xed\xa0\x80", rb'"\ud800"', b"NaN"),
    *(b"1e999", b"-1", b"9" * 400, b"[" * 3000, b'{"a":' * 500, b"HTTP/9.9", b"HTTP/1.0"),
    b"\r\nContent-Length: 5",
    b"\r\nContent-Length: -5",
    b"\r\nTransfer-Encoding: chunked",
    b"\r\nTransfer-Encoding: identity, chunked",
    b"\r\nExpect: 100-continue",
    b"\r\nUpgrade: websocket\r\nConnection: Upgrade",
    b"\r\nContent-Encoding: gzip",
    b"\r\nAuthorization: Bearer x",
    b"\r\nIf-Match: *\r\nIf-None-Match: *",
    b"\r\ntraceparent: 00-00-00-00",
    b"\r\nX-Forwarded-For: " + b"1.1.1.1," * 200,
)
BODIES = (
    {"name": "fraud", "description": "Which payments are", "tags": {"team": "pay"}},
    {"version": 1, "from_version": 0, "why": "the first one"},
    DRAFT,
    {"url": "127.0.0.1:9"},
)
TARGETS = (
    *("GET /v1/models", "POST /v1/models", "GET /v1/models/churn", "PATCH /v1/models/churn"),
    *("POST /v1/models/churn/versions", "PUT /v1/models/churn/aliases/champion"),
    *("GET /v1/models?page_size=10&tag=a:b", "DELETE /v1/models/churn?why=x", "GET /v1/pools"),
    *("GET /v1/models/churn/aliases/champion/at?time=2026-05-03T02:00:00Z", "OPTIONS /v1/models"),
    *("GET /v1/models/churn/events?kind=alias.moved", "GET /openapi.json", "GET /metrics"),
)


def spoilt(random: Random) -> bytes:
    """Return a request that was whole, with one to four slips in it."""
    body = json.dumps(random.choice(BODIES)).encode()
    head = (
        f"{random.choice(TARGETS)} HTTP/1.1\r\nHost: x\r\nAuthorization: {TOKEN}\r\n"
        f"Idempotency-Key: {random.random()}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    request = bytearray(head.encode() + body)
    for _ in range(random.randint(1, 4)):
        place = random.randrange(len(request))
        match random.randrange(4):
            case 0:
                request[place] = random.randrange(256)
            case 1:
                del request[place : place + random.randint(1, 40)]
            case 2:
                request[place:place] = request[place : place + random.randint(1, 80)]
            case _:
                request[place:place] = random.choice(ODD)
    return bytes(request)


async def status_of(port: int, request: bytes) -> int:
    """Send it; return the status, 0 for a connection that is closed without an answer.

    Whoever was answered may keep the connection for another request.
    """
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(request)
        line = await reader.readline()
    except ConnectionError:
        return 0
    finally:
        writer.close()
    return int(line.split(b" ")[1]) if line else 0


@pytest.mark.chaos
async def test_nothing_that_is_sent_is_a_fault(tmp_path: Path, chaos: Chaos) -> None:
    """Each is answered or closed in time, five seconds in the long form; none with 500 or above."""
    random = chaos.random()
    hang_s = LOADED_HANG_S if chaos.scale is None else HANG_S
    requests = [spoilt(random) for _ in range(chaos.count(10_000, sample=100))]
    seen: Counter[int] = Counter()
    slowest_s = 0.0
    faults: list[tuple[int, float, bytes]] = []
    room = asyncio.Semaphore(AT_ONCE)

    async def send(port: int, request: bytes) -> None:
        nonlocal slowest_s
        async with room:
            begun = time.monotonic()
            status = await status_of(port, request)
            seconds = time.monotonic() - begun
        seen[status] += 1
        slowest_s = max(slowest_s, seconds)
        if status >= 500 or seconds > hang_s:
            faults.append((status, seconds, request))

    with probe(tmp_path, **(SOON if chaos.scale is None else {})) as running:
        async with asyncio.TaskGroup() as sending:
            for request in requests:
                sending.create_task(send(running.port, request))
    told = ", ".join(f"{count} × {status or 'closed'}" for status, count in sorted(seen.items()))
    chaos.tell(f"{len(requests):,} requests: {told}; the slowest {slowest_s:.1f} s")
    assert faults == []
