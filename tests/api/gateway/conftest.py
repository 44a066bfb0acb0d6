"""The gateway in front of a few routes, without a registry."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from api.app import create_app
from api.gateway.outcomes import possible
from api.settings import Settings
from cli.stack.redis import LocalRedis
from tests.api.conftest import settings_for
from tests.api.gateway import probe_app
from tests.api.gateway.probe import Probe, probe

NOBODY = "127.0.0.1:9"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings without quotas."""
    return settings_for(tmp_path / "registry.db", NOBODY)


def client_of(settings: Settings, *, address: str = "192.0.2.1", **changed: Any) -> AsyncClient:
    """Return a client at `address` of an application with changed parts of the settings."""
    app = app_of(replace(settings, **changed))
    # As uvicorn does: an error of the application is the server's, not the client's.
    transport = ASGITransport(app=app, client=(address, 1), raise_app_exceptions=False)
    return AsyncClient(transport=transport, base_url="http://nightshift")


def app_of(settings: Settings) -> FastAPI:
    """Return the application with the probe's routes; it has no registry unless it is entered."""
    app = create_app(settings)
    app.include_router(probe_app.router)
    gateway = app.state.gateway
    gateway.routes.learn(app.routes)
    gateway.metrics.expect(possible(gateway.routes))
    return app


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRedis]:
    """A Redis that a test may kill if it starts it again."""
    folder = tmp_path_factory.mktemp("redis")
    with LocalRedis(folder, log=folder / "redis.log") as server:
        yield server


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """The API as a process, which gives up on slow senders after a second."""
    folder = tmp_path_factory.mktemp("probe")
    with probe(
        folder,
        API_BODY_GRACE_S="1",
        API_BODY_PAUSE_S="2",
        API_HEAD_TIMEOUT_S="2",
        QUOTA_ADDRESS="300/3600",
    ) as running:
        yield running
