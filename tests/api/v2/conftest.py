"""The API as a process, before a real Triton."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cli.stack.process import LOOPBACK, READY_DEADLINE_S, GuardedProcess, free_ports
from cli.stack.triton import LocalTriton
from tests.api import tokens
from tests.api.v2.service import Service
from tests.conftest import ROOT


@pytest.fixture(scope="session")
def clients_packages() -> Path:
    """Where `make test` has installed stock clients, and what comes with them."""
    default = ROOT / ".nightshift" / "clients-env"
    environment = Path(os.environ.get("NIGHTSHIFT_CLIENTS_ENV", default))
    (packages,) = environment.glob("lib/python3.*/site-packages")
    return packages


@pytest.fixture(scope="session")
def service(triton: LocalTriton, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """It serves Triton's models by their names, and `linear` as `scores@champion`."""
    folder = tmp_path_factory.mktemp("v2")
    (port,) = free_ports(1)
    settings = {
        "API_DRAIN_NOTICE_S": "0",
        "API_PORT": str(port),
        "DATABASE_URL": f"sqlite:///{folder / 'registry.db'}",
        "DATA_DIR": str(folder),
        "ENVIRONMENT": "production",
        "JWT_SECRET": tokens.SECRET,
        "QUOTA_ADDRESS": "none",
        "QUOTA_SUBJECT": "none",
        "TRITON_URLS": triton.grpc_url,
    }
    process = GuardedProcess(
        "the API",
        [sys.executable, "-m", "cli.main", "serve"],
        log=folder / "log",
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            **{f"NIGHTSHIFT_{name}": value for name, value in settings.items()},
        },
        grace_s=5,
    )
    with process, httpx.Client(base_url=f"http://{LOOPBACK}:{port}", timeout=60) as client:
        client.headers.update(tokens.bearer())
        process.await_ready(lambda: _answers(client), deadline_s=READY_DEADLINE_S)
        _register(client)
        yield Service(f"{LOOPBACK}:{port}", client)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/v2/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def _register(client: httpx.Client) -> None:
    """Have two versions of one model, the first of them `champion`."""
    for number in (1, 2):
        draft = {"served_name": "linear", "digest": f"sha256:{number:064x}"}
        answer = client.post(
            "/v1/models/scores/versions", json=draft, headers={"Idempotency-Key": f"v{number}"}
        )
        assert answer.status_code == 201, answer.text
    alias = "/v1/models/scores/aliases/champion"
    moved = client.put(alias, json={"version": 1}, headers={"If-None-Match": "*"})
    assert moved.status_code == 200, moved.text
