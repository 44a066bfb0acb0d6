"""Bodies: counted while they arrive, never read to be thrown away."""

import gzip
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.gateway.body_bounds import BodyBounds
from cli.stack.process import LOOPBACK
from tests.api import tokens
from tests.api.gateway.probe import Probe, probe
from tests.chaos.seeds import Chaos

MIB = 1 << 20
JSON = {"Content-Type": "application/json"}


def streamed(size: int) -> Iterator[bytes]:
    """Return a body of that size in pieces, which has no Content-Length."""
    piece = b"x" * 65_536
    for _ in range(size // len(piece)):
        yield piece


@pytest.mark.parametrize("path", ["/probe/parsed", "/probe/streamed", "/v1/models", "/nothing"])
@pytest.mark.parametrize("known", [True, False])
def test_a_gigabyte_in_chunks_is_not_taken(served: Probe, path: str, known: bool) -> None:
    """With a token or without, where it is read and where it is not: the memory stays."""
    before = served.rss_bytes()
    headers = {**JSON, **(tokens.bearer() if known else {})}
    answer = httpx.post(f"{served.url}{path}", content=streamed(1024 * MIB), headers=headers)
    expected = {False: {401, 429}, True: {404} if path == "/nothing" else {413}}[known]
    assert answer.status_code in expected
    assert answer.headers["connection"] == "close"
    assert served.rss_bytes("VmHWM") - before < 64 * MIB


def test_a_compressed_body_is_not_taken(served: Probe) -> None:
    """A bomb is refused by its header: nothing is ever decompressed."""
    before = served.rss_bytes()
    bomb = gzip.compress(bytes(64 * MIB), compresslevel=1)
    headers = {**JSON, **tokens.bearer(), "Content-Encoding": "gzip"}
    answer = httpx.post(f"{served.url}/probe/parsed", content=bomb, headers=headers)
    assert answer.status_code == 415
    assert answer.headers["accept-encoding"] == "identity"
    assert answer.json()["type"] == "urn:nightshift:problem:content-encoding"
    assert served.rss_bytes("VmHWM") - before < 64 * MIB


def test_what_fits_is_taken_to_the_last_byte(served: Probe) -> None:
    """With and without Content-Length; one byte more is too much, and told by the header alone."""
    headers = {**tokens.bearer(), "Content-Type": "application/octet-stream"}
    with httpx.Client(base_url=served.url, headers=headers) as client:
        for content in (bytes(MIB), streamed(MIB)):
            answer = client.post("/probe/streamed", content=content)
            assert (answer.status_code, answer.json()) == (200, {"bytes": MIB})
        refused = client.post("/probe/streamed", content=bytes(MIB + 1))
    assert refused.status_code == 413
    assert refused.json() == {
        "type": "urn:nightshift:problem:body-too-large",
        "title": "Body too large",
        "status": 413,
        "detail": f"this path takes bodies of at most {MIB} bytes",
        "instance": "/probe/streamed",
        "max_bytes": MIB,
    }


def test_a_slow_body_is_told_so(served: Probe) -> None:
    """The sender gets 408, and the connection is closed."""
    with socket.create_connection((LOOPBACK, served.port), timeout=20) as connection:
        connection.sendall(
            b"POST /probe/parsed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\nAuthorization: "
            + tokens.bearer()["Authorization"].encode()
            + b"\r\n\r\n{"
        )
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer
    assert b"1 bytes of the body arrived in time" in answer


def test_a_connection_is_used_again_after_a_small_unread_body(served: Probe) -> None:
    """Who is refused need not connect anew."""
    with httpx.Client(base_url=served.url) as client:
        answer = client.post("/v1/models", json={"name": "x"})
    assert answer.status_code in (401, 429)
    assert "connection" not in answer.headers


def test_a_body_has_the_more_time_the_more_has_come() -> None:
    """A large upload over a fair line is not cut off."""
    bounds = BodyBounds(
        max_bytes=100 * MIB, grace_s=10, min_bytes_per_s=16_384, max_held_bytes=100 * MIB
    )
    assert bounds.deadline_s(0) == 10
    assert bounds.deadline_s(16 * MIB) == 10 + 1024


@pytest.mark.chaos
def test_half_sent_requests_do_not_stay(served: Probe, chaos: Chaos, tmp_path: Path) -> None:
    """Fifty are closed in time: in the sample after a second each for head and body, in the long
    form with the deadlines that everyone has.
    """
    if chaos.scale is None:
        # Ten times what was asked for, for a loaded machine.
        assert _closed_after_s(served, 50) < 15
        return
    with probe(tmp_path) as running:
        count = chaos.count(50, sample=50)
        longest_s = _closed_after_s(running, count)
    chaos.tell(f"{count} half-sent requests, the last one closed after {longest_s:.1f} s")
    # Ten seconds for head or body, and a look each second.
    assert longest_s < 15


def _closed_after_s(served: Probe, count: int) -> float:
    """Send half a line, half a head, half a body that is read, or not; wait until all are closed.

    Returns how long that took.
    """
    halves = [
        b"",
        b"GE",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-A",
        b"POST /probe/parsed HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        b"POST /probe/parsed HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\nGET /health/live HTTP/1.1\r\nHost",
    ]
    connections = [
        socket.create_connection((LOOPBACK, served.port), timeout=30) for _ in range(count)
    ]
    start = time.monotonic()
    for number, connection in enumerate(connections):
        connection.sendall(halves[number % len(halves)])
    for connection in connections:
        with connection:
            while connection.recv(65_536):
                pass
    return time.monotonic() - start
