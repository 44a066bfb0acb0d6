"""Health: alive while the process answers, ready while there is something to answer with."""

import json
import logging
import os
import signal
import socket
import sqlite3
from pathlib import Path

import pytest
from httpx import Response

from cli.stack.process import LOOPBACK, free_ports
from cli.stack.triton import LocalTriton
from tests.api.conftest import OpenApi
from tests.conftest import TritonFactory


def not_ready(response: Response, missing: dict[str, str]) -> dict[str, object]:
    """Check that the answer is the problem that names exactly `missing`; return its body."""
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == "1"
    assert response.headers["cache-control"] == "no-store"
    body: dict[str, object] = response.json()
    assert body == {
        "type": "urn:nightshift:problem:not-ready",
        "title": "Not ready",
        "status": 503,
        "detail": "; ".join(f"{name}: {reason}" for name, reason in missing.items()),
        "instance": "/health/ready",
        "missing": [{"name": name, "reason": reason} for name, reason in missing.items()],
    }
    return body


@pytest.mark.triton
async def test_ready_with_its_registry_and_a_server(open_api: OpenApi, triton: LocalTriton) -> None:
    """One live server of the pool is enough, and nobody may keep the answer."""
    (nobody,) = free_ports(1)
    async with open_api(f"{LOOPBACK}:{nobody}", triton.grpc_url) as api:
        for state in ("live", "ready"):
            answer = await api.get(f"/health/{state}")
            assert (answer.status_code, answer.json()) == (200, {"status": state})
            assert answer.headers["cache-control"] == "no-store"


@pytest.mark.triton
async def test_a_killed_server_is_named(open_api: OpenApi, triton_factory: TritonFactory) -> None:
    """Readiness goes with the last server of the pool; the process stays alive."""
    triton = triton_factory(models=["linear"])
    async with open_api(triton.grpc_url) as api:
        assert (await api.get("/health/ready")).status_code == 200
        os.kill(triton.pid, signal.SIGKILL)
        reason = f"no server of the pool is live: {triton.grpc_url.removeprefix('grpc://')}"
        not_ready(await api.get("/health/ready"), {"triton": reason})
        assert (await api.get("/health/live")).status_code == 200


async def test_everything_that_is_missing_is_named(
    open_api: OpenApi, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller reads no path of the database; the log has it, with what the database said."""
    (nobody,) = free_ports(1)
    async with open_api(f"{LOOPBACK}:{nobody}") as api:
        with sqlite3.connect(database) as connection:
            connection.execute("PRAGMA foreign_keys=OFF")
            connection.execute("DROP TABLE models")
        connection.close()
        with caplog.at_level(logging.WARNING):
            answer = await api.get("/health/ready")
    body = not_ready(
        answer,
        {
            "registry": "its database cannot be read; the log says why",
            "triton": f"no server of the pool is live: {LOOPBACK}:{nobody}",
        },
    )
    assert str(database) not in json.dumps(body)
    (record,) = [record for record in caplog.records if record.name == "api.health"]
    causes = record.fields  # type: ignore[attr-defined]  # set by extra=
    assert str(database) in causes["registry"]
    assert "no such table: models" in causes["registry"]


async def test_a_server_that_hangs_is_given_up(open_api: OpenApi) -> None:
    """A port that takes connections and says nothing costs the deadline, no more."""
    with socket.create_server((LOOPBACK, 0)) as mute:
        async with open_api(f"{LOOPBACK}:{mute.getsockname()[1]}", check_timeout_s=0.3) as api:
            answer = await api.get("/health/ready")
    not_ready(answer, {"triton": "did not answer within 0.3 s"})
