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
HANG_S, LOADED_HANG_S = 5.0, 60.0
"""When a connection hangs: on a machine of its own, and beside other tests."""
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
    answer = httpx.post(
        f"{served.url}{path}", content=streamed(1024 * MIB), headers=headers, timeout=60
    )
    expected = {False: {401, 429}, True: {404} if path == "/nothing" else {413}}[known]
    assert answer.status_code in expected
    assert answer.headers["connection"] == "close"
    assert served.rss_bytes("VmHWM") - before < 64 * MIB


def test_a_compressed_body_is_not_taken(served: Probe) -> None:
    """A bomb is refused by its header: nothing is ever decompressed."""
    before = served.rss_bytes()
    bomb = gzip.compress(bytes(64 * MIB), compresslevel=1)
    headers = {**JSON, **tokens.bearer(), "Content-Encoding": "gzip"}
    answer = httpx.post(f"{served.url}/probe/parsed", content=bomb, headers=headers, timeout=60)
    assert answer.status_code == 415
    assert answer.headers["accept-encoding"] == "identity"
    assert answer.json()["type"] == "urn:nightshift:problem:content-encoding"
    assert served.rss_bytes("VmHWM") - before < 64 * MIB


def test_a_bomb_for_a_model_takes_no_memory(served: Probe) -> None:
    """There gzip is undone, within its bound: 256 MiB of zeros are refused when 64 are counted."""
    before = served.rss_bytes()
    bomb = gzip.compress(bytes(256 * MIB), compresslevel=1)
    headers = {**JSON, **tokens.bearer(), "Content-Encoding": "gzip"}
    answer = httpx.post(
        f"{served.url}/v2/models/churn/infer", content=bomb, headers=headers, timeout=60
    )
    assert answer.status_code == 413
    assert served.rss_bytes("VmHWM") - before < 64 * MIB


def test_what_fits_is_taken_to_the_last_byte(served: Probe) -> None:
    """With and without Content-Length; one byte more is too much, and told by the header alone."""
    headers = {**tokens.bearer(), "Content-Type": "application/octet-stream"}
    with httpx.Client(base_url=served.url, headers=headers, timeout=60) as client:
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
    with socket.create_connection((LOOPBACK, served.port), timeout=60) as connection:
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
    with httpx.Client(base_url=served.url, timeout=60) as client:
        answer = client.post("/v1/models", json={"name": "x"})
    assert answer.status_code in (401, 429)
    assert "connection" not in answer.headers


def test_a_body_has_the_more_time_the_more_has_come() -> None:
    """A hundred megabytes at 17 kB/s go on for an hour and a half; a stop or a trickle does not."""
    bounds = BodyBounds(
        max_bytes=100 * MIB,
        grace_s=10,
        pause_s=4,
        min_bytes_per_s=16_384,
        max_held_bytes=100 * MIB,
    )
    assert {bounds.patience_s(17_000 * second, second) for second in range(6000)} == {4}
    assert bounds.patience_s(100 * MIB, 1) == 4
    assert [bounds.patience_s(second, second) for second in (0, 8, 10, 11)] == [
        4,
        2 + 8 / 16_384,
        10 / 16_384,
        11 / 16_384 - 1,
    ]


def test_a_slow_body_that_keeps_coming_is_taken(served: Probe) -> None:
    """It takes half as long again as any body may, in pieces of what a second must bring."""
    piece = bytes(16_384)

    def slowly() -> Iterator[bytes]:
        for _ in range(10):
            time.sleep(0.15)
            yield piece

    headers = {**tokens.bearer(), "Content-Type": "application/octet-stream"}
    answer = httpx.post(
        f"{served.url}/probe/streamed", content=slowly(), headers=headers, timeout=60
    )
    assert (answer.status_code, answer.json()) == (200, {"bytes": 10 * len(piece)})


def test_a_body_that_stops_is_not_waited_for(served: Probe) -> None:
    """However much of it came: a megabyte has earned a minute, if only it went on."""
    with socket.create_connection((LOOPBACK, served.port), timeout=60) as connection:
        connection.sendall(
            b"POST /probe/streamed HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n"
            + f"Authorization: {tokens.bearer()['Authorization']}\r\n\r\n".encode()
            + bytes(MIB - 1)
        )
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"1048575 bytes of the body arrived in time" in answer


@pytest.mark.chaos
def test_half_sent_requests_do_not_stay(served: Probe, chaos: Chaos, tmp_path: Path) -> None:
    """Fifty are closed, in the long form within five seconds, with the deadlines of everyone."""
    if chaos.scale is None:
        assert _closed_after_s(served, 50) < LOADED_HANG_S
        return
    with probe(tmp_path) as running:
        count = chaos.count(50, sample=50)
        longest_s = _closed_after_s(running, count)
    chaos.tell(f"{count} half-sent requests, the last one closed after {longest_s:.1f} s")
    assert longest_s < HANG_S


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
        socket.create_connection((LOOPBACK, served.port), timeout=60) for _ in range(count)
    ]
    start = time.monotonic()
    for number, connection in enumerate(connections):
        connection.sendall(halves[number % len(halves)])
    for connection in connections:
        with connection:
            while connection.recv(65_536):
                pass
    return time.monotonic() - start
