"""Authentication: every path but the open ones needs one accepted token."""

from dataclasses import replace

import pytest

from api.gateway.settings import TokenSettings
from api.settings import Settings
from tests.api import tokens
from tests.api.gateway.conftest import client_of


@pytest.mark.parametrize("path", ["/v1/models", "/nothing", "/", "/metricsx", "/healthx", "/docsx"])
async def test_a_stranger_learns_nothing(settings: Settings, path: str) -> None:
    """Not even whether a path exists."""
    async with client_of(settings) as api:
        answer = await api.get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="nightshift"'
    assert answer.json()["type"] == "urn:nightshift:problem:no-token"


@pytest.mark.parametrize("path", ["/health/live", "/metrics", "/docs", "/openapi.json"])
async def test_open_paths_need_none(settings: Settings, path: str) -> None:
    """A bad token does not close them."""
    async with client_of(settings) as api:
        for headers in ({}, {"Authorization": "Bearer a.b.c"}):
            assert (await api.get(path, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("", "no-token"),
        ("Bearer", "no-token"),
        ("Basic dXNlcjpwYXNz", "no-token"),
        ("Bearer a.b.c", "token-not-accepted"),
        ("bearer " + "x" * 10_000, "token-not-accepted"),
    ],
)
async def test_other_credentials_are_refused(settings: Settings, header: str, kind: str) -> None:
    """With what was wrong."""
    async with client_of(settings) as api:
        answer = await api.get("/probe/slow/0", headers={"Authorization": header})
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (401, kind)


async def test_two_tokens_are_none(settings: Settings) -> None:
    """Two readers could take different ones."""
    both = [("Authorization", tokens.bearer()["Authorization"])] * 2
    async with client_of(settings) as api:
        answer = await api.get("/probe/slow/0", headers=both)
    assert answer.status_code == 401
    assert "several Authorization headers" in answer.json()["detail"]


async def test_the_scheme_may_be_written_anyhow(settings: Settings) -> None:
    """Its case does not count."""
    async with client_of(settings) as api:
        answer = await api.get(
            "/probe/slow/0", headers={"Authorization": f"bEARER  {tokens.token()}"}
        )
    assert answer.status_code == 200


async def test_tokens_wait_for_their_issuers_keys(settings: Settings) -> None:
    """Until these were seen once: 503 for whoever has a token, 401 for the others."""
    issued = TokenSettings(
        environment="production", jwks_url="http://127.0.0.1:9/keys", issuer="a", jwks_timeout_s=0.5
    )
    async with client_of(replace(settings, tokens=issued)) as api:
        answer = await api.get("/probe/slow/0", headers=tokens.bearer())
        nobody = await api.get("/probe/slow/0")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["type"] == "urn:nightshift:problem:keys-unavailable"
    assert nobody.status_code == 401
