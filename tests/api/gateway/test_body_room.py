"""All bodies together: what there is no room for is told at once."""

import gzip
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from api.gateway.body_room import BodyRoom, Held
from api.problems import Refused
from cli.stack.process import LOOPBACK
from tests.api import tokens
from tests.api.gateway.probe import Probe, probe

MIB = 1 << 20
PATH = "/v2/models/any/infer"
FULL = "urn:nightshift:problem:over-capacity"


def test_room_is_taken_once_and_given_back() -> None:
    """To the last byte; who is refused has taken nothing."""
    room = BodyRoom(10)
    first, second = Held(room), Held(room)
    first.add(6)
    second.add(4)
    with pytest.raises(Refused, match="bodies of 10 bytes are under way, of 10 at most") as raised:
        second.add(1)
    assert (raised.value.kind.status, dict(raised.value.headers)) == (503, {"Retry-After": "1"})
    first.end()
    first.end()
    second.add(6)
    second.end()
    room.check(10)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """The API with room for two of the largest bodies, and patience with who sends them."""
    folder = tmp_path_factory.mktemp("narrow")
    with probe(
        folder,
        API_MAX_INFER_BYTES=str(MIB),
        API_MAX_INFER_HELD_BYTES=str(2 * MIB),
        API_BODY_GRACE_S="600",
        API_BODY_PAUSE_S="600",
    ) as running:
        yield running


def test_bodies_that_have_not_ended_take_room(narrow: Probe) -> None:
    """Two senders have all but a byte of theirs here: there is no room until they are answered."""
    with ExitStack() as opened, asking(narrow) as api:
        senders = [opened.enter_context(unfinished(narrow, MIB - 1)) for _ in range(2)]
        await_full(narrow, left=2)
        for body in (bytes(3), iter([bytes(65_536)] * 4)):
            refused = api.post(PATH, content=body)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert refused.json()["type"] == FULL
        # Other paths have room of their own.
        assert api.post("/probe/streamed", content=bytes(MIB)).json() == {"bytes": MIB}
        for sender in senders:
            sender.sendall(b"x")
            assert sender.recv(65_536).startswith(b"HTTP/1.1 ")
        assert not is_full(api, bytes(MIB))


def test_what_was_compressed_takes_room_too(narrow: Probe) -> None:
    """A kilobyte that becomes a megabyte is refused where a megabyte would be."""
    with ExitStack() as opened, asking(narrow) as api:
        for size in (MIB - 1, MIB - 65_536):
            opened.enter_context(unfinished(narrow, size))
        await_full(narrow, left=65_537)
        coding = {"Content-Encoding": "gzip"}
        assert is_full(api, gzip.compress(bytes(MIB)), coding)
        assert not is_full(api, gzip.compress(bytes(32_768)), coding)


def asking(narrow: Probe) -> httpx.Client:
    """Return a client that has a token."""
    return httpx.Client(base_url=narrow.url, headers=tokens.bearer(), timeout=60)


def unfinished(narrow: Probe, size: int, *, announced: int = MIB) -> socket.socket:
    """Return a connection that has sent so much of the body that it announced."""
    connection = socket.create_connection((LOOPBACK, narrow.port), timeout=60)
    authorization = tokens.bearer()["Authorization"]
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n"
    connection.sendall(f"{head}Content-Length: {announced}\r\n\r\n".encode() + bytes(size))
    return connection


def await_full(narrow: Probe, *, left: int) -> None:
    """Return when no more than so many bytes have room; raises `AssertionError` after a while.

    Only the announcement of a body is sent, which takes no room from those who are waited for.
    """
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with unfinished(narrow, 0, announced=left + 1) as connection:
            connection.settimeout(1)
            try:
                answer = connection.recv(65_536)
            except TimeoutError:
                continue
            assert answer.startswith(b"HTTP/1.1 503 "), answer
            return
    raise AssertionError("there is room still")


def is_full(api: httpx.Client, body: bytes, headers: dict[str, str] | None = None) -> bool:
    """Say whether there is no room for the body; no model is there that would answer it."""
    answer = api.post(PATH, content=body, headers=headers)
    assert answer.status_code >= 400
    return bool(answer.json()["type"] == FULL)
