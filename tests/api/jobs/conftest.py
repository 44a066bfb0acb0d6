"""The API with jobs; nobody answers for Prefect, so that they wait, unless a test has one."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.app import create_app
from api.jobs.settings import JobsSettings
from registry.catalog import Catalog
from registry.settings import RegistrySettings
from registry.store import open_store
from tests.api import tokens
from tests.api.conftest import settings_for
from tests.contracts.test_store import FIRST

NOBODY = "127.0.0.1:9"
DRAFT = {"model": "flights@champion", "input": "s3://lake/in/", "output": "s3://lake/out"}
OpenJobs = Callable[..., AbstractAsyncContextManager[AsyncClient]]


@pytest.fixture
def open_jobs(database: Path) -> OpenJobs:
    """Call with what is set of jobs for a client; the registry has flights@champion.

    Bodies are written to `heard` as they are sent, which the client gets when they are whole.
    """

    @asynccontextmanager
    async def opened(heard: bytearray | None = None, **jobs: Any) -> AsyncIterator[AsyncClient]:
        register(database)
        told = {"prefect_api_url": f"http://{NOBODY}/api"} | jobs
        settings = replace(settings_for(database, NOBODY), jobs=JobsSettings(**told))
        app = create_app(settings)
        transport = ASGITransport(app=overheard(app, bytearray() if heard is None else heard))
        async with (
            app.router.lifespan_context(app),
            AsyncClient(
                transport=transport, base_url="http://nightshift", headers=tokens.bearer()
            ) as client,
        ):
            yield client

    return opened


def overheard(app: ASGIApp, heard: bytearray) -> ASGIApp:
    """Return the application; what it sends is added to `heard`."""

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            heard.extend(message.get("body", b""))
            await send(message)

        await app(scope, receive, sent)

    return asked


def register(database: Path) -> None:
    """Have flights@1, which is its champion."""
    store = open_store(RegistrySettings(database_url=f"sqlite:///{database}"))
    catalog = Catalog(store)
    catalog.register(
        "flights",
        signature=FIRST.signature,
        digest=FIRST.digest,
        served_name="flights",
        served_version="1",
        columns=FIRST.columns,
    )
    catalog.set_alias("flights", "champion", 1)
    store.close()


async def submit(api: AsyncClient, key: str = "k", **changed: Any) -> Response:
    """Submit the draft with some of it changed."""
    headers = {"Idempotency-Key": key}
    return await api.post("/v1/jobs", json=DRAFT | changed, headers=headers)
