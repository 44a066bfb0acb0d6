"""The server: answers until a signal, then closes what it opened."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest
from httpx import AsyncClient

from api.server import serve
from registry.errors import RegistryUnavailable
from tests.api.conftest import settings_for

NOBODY = "127.0.0.1:9"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it(database: Path, number: signal.Signals) -> None:
    """It answers once it says so; afterwards nobody listens."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    started = asyncio.Event()

    def say(_: str | None) -> None:
        started.set()

    serving = asyncio.create_task(serve(settings_for(database, NOBODY), listener, say))
    await asyncio.wait_for(started.wait(), timeout=20)
    async with AsyncClient(base_url=f"http://127.0.0.1:{address[1]}") as client:
        answer = await client.get("/health/live")
    assert answer.json() == {"status": "live"}
    assert "server" not in answer.headers
    os.kill(os.getpid(), number)
    await asyncio.wait_for(serving, timeout=20)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)


async def test_what_cannot_be_opened_is_raised(tmp_path: Path) -> None:
    """The caller gets the error itself, before anything was answered."""
    (tmp_path / "file").touch()
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(RegistryUnavailable):
        await serve(settings_for(tmp_path / "file" / "x.db", NOBODY), listener, never)


def never(_: str | None) -> None:
    """Fail: nothing was opened."""
    pytest.fail("it said that it serves")
