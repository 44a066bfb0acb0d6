"""The demo token: for this machine, in development, and nowhere else."""

from dataclasses import replace

import pytest
from httpx import ASGITransport, AsyncClient

from api.gateway.scopes import ALL_SCOPES
from api.gateway.settings import TokenSettings
from api.settings import Settings
from tests.api.gateway.conftest import app_of, client_of

PATH = "/v1/token/demo"


def development(settings: Settings, base_url: str = "http://127.0.0.1:8080") -> AsyncClient:
    """Return a client of an API in development."""
    app = app_of(replace(settings, tokens=TokenSettings()))
    return AsyncClient(transport=ASGITransport(app=app), base_url=base_url)


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:9000"])
async def test_development_gives_a_token_that_allows_everything(
    settings: Settings, host: str
) -> None:
    """And says what that means."""
    async with development(settings, f"http://{host}") as api:
        given = await api.get(PATH)
        demo = given.json()
        headers = {"Authorization": f"Bearer {demo['token']}"}
        answer = await api.get("/probe/slow/0", headers=headers)
    assert given.status_code == 200
    assert given.headers["cache-control"] == "no-store"
    assert set(demo["scope"].split()) == ALL_SCOPES
    assert "development only" in demo["notice"]
    assert demo["expires_in_s"] == 12 * 3600
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:8080"},
        {"Host": "localhost.evil.example"},
        {"Host": ""},
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"Via": "1.1 proxy"},
    ],
)
async def test_who_is_not_here_gets_none(settings: Settings, headers: dict[str, str]) -> None:
    """Neither a page that rebinds its name, nor whoever a proxy brings."""
    async with development(settings) as api:
        answer = await api.get(PATH, headers=headers)
    assert answer.status_code == 403
    assert "token" not in answer.json()


async def test_production_has_no_such_path(settings: Settings) -> None:
    """Nor does its description know one."""
    async with client_of(settings) as api:
        answer = await api.get(PATH)
        described = (await api.get("/openapi.json")).json()
    assert answer.status_code == 404
    assert PATH not in described["paths"]


async def test_a_token_ends_with_its_process(settings: Settings) -> None:
    """The secret is another one after a restart."""
    async with development(settings) as first, development(settings) as second:
        token = (await first.get(PATH)).json()["token"]
        headers = {"Authorization": f"Bearer {token}"}
        assert (await second.get("/probe/slow/0", headers=headers)).status_code == 401
