"""The API over a real registry and real Tritons."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from httpx import ASGITransport, AsyncClient

from api.app import create_app
from api.gateway.settings import CorsSettings, QuotaSettings, TrafficSettings
from api.jobs.settings import JobsSettings
from api.online.settings import OnlineSettings
from api.settings import ApiSettings, Settings
from inference.settings import InferenceSettings
from inference.store_settings import StoreSettings, StoresSettings
from registry.settings import RegistrySettings
from tests.api import tokens

STORES = {"lake": StoreSettings(prefixes=("s3://lake/",))}
OpenApi = Callable[..., AbstractAsyncContextManager[AsyncClient]]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The registry's file, made when the API opens it."""
    return tmp_path / "registry.db"


@pytest.fixture
def open_api(database: Path) -> OpenApi:
    """Call with the servers' addresses for a client of the API with everything opened.

    It sends a token that allows everything, unless a request has its own `Authorization`.
    """

    @asynccontextmanager
    async def opened(*urls: str, check_timeout_s: float = 5.0) -> AsyncIterator[AsyncClient]:
        app = create_app(settings_for(database, *urls, check_timeout_s=check_timeout_s))
        transport = ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            AsyncClient(
                transport=transport, base_url="http://nightshift", headers=tokens.bearer()
            ) as client,
        ):
            yield client

    return opened


def settings_for(database: Path, *urls: str, check_timeout_s: float = 5.0) -> Settings:
    """Return settings that depend on no variable. The deadline outlasts a loaded machine."""
    return Settings(
        api=ApiSettings(check_timeout_s=check_timeout_s, drain_notice_s=0),
        tokens=tokens.SETTINGS,
        quotas=QuotaSettings(subject=None, address=None),
        traffic=TrafficSettings(),
        cors=CorsSettings(),
        registry=RegistrySettings(database_url=f"sqlite:///{database}"),
        inference=InferenceSettings(triton_urls=urls, probe_timeout_s=check_timeout_s),
        online=OnlineSettings(),
        jobs=JobsSettings(prefect_api_url=None),
        stores=StoresSettings(stores=STORES),
    )
