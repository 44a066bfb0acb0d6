"""The server: answers until a signal, then closes what it opened."""

import asyncio
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from httpx import AsyncClient

from api.server import serve
from registry.errors import RegistryUnavailable
from tests.api.conftest import settings_for

NOBODY = "127.0.0.1:9"


@pytest.mark.parametrize(
    ("signals", "notice_s"),
    [([signal.SIGINT], 60), ([signal.SIGTERM], 0), ([signal.SIGTERM, signal.SIGTERM], 60)],
)
async def test_a_signal_ends_it(
    database: Path, signals: list[signal.Signals], notice_s: float
) -> None:
    """It answers once it says so; afterwards nobody listens.

    Ctrl-C waits for no load balancer, nor does a second signal.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    started = asyncio.Event()

    def say(_: str | None) -> None:
        started.set()

    settings = settings_for(database, NOBODY)
    settings = replace(settings, api=settings.api.model_copy(update={"drain_notice_s": notice_s}))
    serving = asyncio.create_task(serve(settings, listener, say))
    await asyncio.wait_for(started.wait(), timeout=60)
    async with AsyncClient(base_url=f"http://127.0.0.1:{address[1]}") as client:
        answer = await client.get("/health/live")
    assert answer.json() == {"status": "live"}
    assert "server" not in answer.headers
    for number in signals:
        os.kill(os.getpid(), number)
        await asyncio.sleep(0.05)
    await asyncio.wait_for(serving, timeout=60)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=60)


async def test_what_cannot_be_opened_is_raised(tmp_path: Path) -> None:
    """The caller gets the error itself, before anything was answered."""
    (tmp_path / "file").touch()
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(RegistryUnavailable):
        await serve(settings_for(tmp_path / "file" / "x.db", NOBODY), listener, never)


def never(_: str | None) -> None:
    """Fail: nothing was opened."""
    pytest.fail("it said that it serves")
