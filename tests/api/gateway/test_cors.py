"""CORS: pages of the origins that were named, and no others."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from api.gateway.settings import CorsSettings, QuotaSettings
from api.settings import Settings
from tests.api import tokens
from tests.api.gateway.conftest import client_of

PAGE = "https://console.example.org"
ASKED = {"Origin": PAGE, "Access-Control-Request-Method": "PATCH"}


def allowing(settings: Settings, **cors: object) -> Settings:
    """Return settings with such an origin."""
    return replace(settings, cors=CorsSettings.model_validate({"origins": PAGE, **cors}))


async def test_a_preflight_needs_no_token(settings: Settings) -> None:
    """A browser sends none with it."""
    headers = {**ASKED, "Access-Control-Request-Headers": "authorization, if-match, traceparent"}
    async with client_of(allowing(settings)) as api:
        answer = await api.options("/v1/models/a", headers=headers)
    assert answer.status_code == 200
    told = answer.headers
    assert told["access-control-allow-origin"] == PAGE
    assert "PATCH" in told["access-control-allow-methods"]
    allowed = told["access-control-allow-headers"].lower()
    assert all(name in allowed for name in ("authorization", "if-match", "idempotency-key"))
    assert told["access-control-max-age"] == "600"
    assert "access-control-allow-credentials" not in told
    assert "Origin" in told["vary"]


@pytest.mark.parametrize(
    "headers",
    [
        {**ASKED, "Origin": "https://evil.example"},
        {**ASKED, "Origin": f"{PAGE}.evil.example"},
        {**ASKED, "Origin": "http://console.example.org"},
        {**ASKED, "Origin": "null"},
        {**ASKED, "Access-Control-Request-Method": "TRACE"},
        {**ASKED, "Access-Control-Request-Headers": "x-other"},
    ],
)
async def test_other_preflights_are_refused(settings: Settings, headers: dict[str, str]) -> None:
    """Another origin, method or header."""
    async with client_of(allowing(settings)) as api:
        answer = await api.options("/v1/models", headers=headers)
    assert answer.status_code == 400


async def test_a_page_reads_refusals_as_well(settings: Settings) -> None:
    """With the headers that it needs to go on."""
    limited = replace(allowing(settings), quotas=QuotaSettings.model_validate({"subject": "1/60"}))
    async with client_of(limited) as api:
        answers = [await api.get("/v1/models", headers={"Origin": PAGE})]
        for _ in range(2):
            headers = {"Origin": PAGE, **tokens.bearer()}
            answers.append(await api.get("/probe/slow/0", headers=headers))
    assert [answer.status_code for answer in answers] == [401, 200, 429]
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == PAGE
        read = answer.headers["access-control-expose-headers"].lower()
        for name in ("ratelimit", "ratelimit-policy", "retry-after", "etag", "traceparent"):
            assert name in read
        assert "inference-header-content-length" in read


async def test_other_pages_read_nothing(settings: Settings) -> None:
    """Neither of another origin, nor any when none is named."""
    for chosen in (allowing(settings), settings):
        async with client_of(chosen) as api:
            answer = await api.get("/health/live", headers={"Origin": "https://evil.example"})
        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("origins", "credentials"),
    [
        ("*", "true"),
        (f"{PAGE},*", "true"),
        ("console.example.org", "false"),
        (f"{PAGE}/", "false"),
        ("ftp://console.example.org", "false"),
        ("null", "false"),
    ],
)
def test_what_lets_everyone_in_is_refused(
    monkeypatch: pytest.MonkeyPatch, origins: str, credentials: str
) -> None:
    """At the start, as is what is no origin."""
    monkeypatch.setenv("NIGHTSHIFT_CORS_ORIGINS", origins)
    monkeypatch.setenv("NIGHTSHIFT_CORS_CREDENTIALS", credentials)
    with pytest.raises(ValidationError):
        CorsSettings()
