"""Rate limits: told with each answer, refused with what to do."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from api.gateway.settings import QuotaSettings, TrafficSettings
from api.settings import Settings
from tests.api import tokens
from tests.api.gateway.conftest import client_of
from tests.api.gateway.probe import Probe


def quotas(**rates: Any) -> QuotaSettings:
    """Return quotas of those kinds only."""
    return QuotaSettings.model_validate({"subject": None, "address": None, **rates})


async def test_a_quota_is_told_and_refuses(settings: Settings) -> None:
    """Both conventions of headers; the problem is the registered one."""
    async with client_of(settings, quotas=quotas(subject="2/60")) as api:
        answers = [await api.get("/probe/slow/0", headers=tokens.bearer()) for _ in range(3)]
        other = await api.get("/probe/slow/0", headers=tokens.bearer(subject="other"))
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert other.status_code == 200
    first, _, refused = answers
    told = {name: first.headers[name] for name in first.headers if "ratelimit" in name}
    assert told == {
        "ratelimit-policy": '"subject";q=2;w=60',
        "ratelimit": '"subject";r=1;t=60',
        "x-ratelimit-limit": "2",
        "x-ratelimit-remaining": "1",
        "x-ratelimit-reset": "60",
    }
    assert refused.headers["ratelimit"] == '"subject";r=0;t=60'
    assert refused.headers["retry-after"] == "60"
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json() == {
        "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
        "title": "Request cannot be satisfied as assigned quota has been exceeded",
        "status": 429,
        "detail": "quota subject: 2 requests in any 60 s",
        "instance": "/probe/slow/0",
        "violated_policies": ["subject"],
    }


async def test_clients_of_the_inference_protocol_read_that_they_are_refused(
    settings: Settings,
) -> None:
    """Under `/v2` a refusal is plain JSON with `error`, without which stock clients break."""
    async with client_of(settings, quotas=quotas(subject="1/60")) as api:
        path = "/v2/models/flights/infer"
        _, refused = [await api.post(path, headers=tokens.bearer()) for _ in range(2)]
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert refused.headers["content-type"] == "application/json"
    assert refused.json()["error"] == "quota subject: 1 requests in any 60 s"


async def test_strangers_are_counted_by_address(settings: Settings) -> None:
    """With no token or a bad one; guessing ends in 429 instead of 401."""
    async with client_of(settings, quotas=quotas(address="3/60")) as api:
        bad = {"Authorization": "Bearer a.b.c"}
        heads: list[dict[str, str]] = [{}, bad, {}, bad, {}]
        statuses = [(await api.get("/v1/models", headers=each)).status_code for each in heads]
        ours = await api.get("/probe/slow/0", headers=tokens.bearer())
    assert statuses == [401, 401, 401, 429, 429]
    assert ours.status_code == 200


async def test_who_watches_is_not_counted(settings: Settings) -> None:
    """Probes come every second from one address."""
    async with client_of(settings, quotas=quotas(address="1/60")) as api:
        answers = [await api.get("/health/live") for _ in range(3)]
    assert {(each.status_code, each.headers.get("ratelimit")) for each in answers} == {(200, None)}


async def test_scopes_and_models_have_quotas_of_their_own(settings: Settings) -> None:
    """A model by its name, others by `*`; a request that one refuses costs nothing elsewhere."""
    limits = quotas(subject="100/60", scopes="models:read=4/60", models="flights=1/60,*=2/60")
    async with client_of(settings, quotas=limits) as api:

        async def asked(model: str) -> httpx.Response:
            return await api.get(f"/probe/models/{model}", headers=tokens.bearer())

        flights = [await asked("flights") for _ in range(2)]
        fraud = [await asked("fraud") for _ in range(3)]
        text = [await asked("text") for _ in range(2)]
    assert [answer.status_code for answer in flights] == [200, 429]
    assert flights[0].headers["ratelimit-policy"] == (
        '"subject";q=100;w=60, "scope models:read";q=4;w=60, "model flights";q=1;w=60'
    )
    assert flights[0].headers["x-ratelimit-limit"] == "1"
    assert flights[1].json()["violated_policies"] == ["model flights"]
    assert [answer.status_code for answer in fraud] == [200, 200, 429]
    assert fraud[2].json()["violated_policies"] == ["model"]
    assert [answer.status_code for answer in text] == [200, 429]
    assert text[1].json()["violated_policies"] == ["scope models:read"]


def test_what_a_caller_says_of_its_address_is_not_believed(served: Probe) -> None:
    """A thousand requests with other addresses each time get the 429s that they get without.

    The process counts 300 for an address; the addresses in the first half are made up.
    """
    with httpx.Client(base_url=served.url, timeout=60) as client:
        spoofed = [
            client.get(
                "/v1/models",
                headers={
                    "X-Forwarded-For": f"198.51.{number % 250}.{number // 250}",
                    "Forwarded": f"for=198.51.100.{number % 250}",
                    "X-Real-IP": f"203.0.113.{number % 250}",
                },
            ).status_code
            for number in range(1000)
        ]
        plain = [client.get("/v1/models").status_code for _ in range(10)]
    assert (spoofed.count(401), spoofed.count(429)) == (300, 700)
    assert plain == [429] * 10


async def test_a_trusted_proxy_is_believed(settings: Settings) -> None:
    """Then clients behind it are counted apart."""
    trusted = replace(
        settings,
        quotas=quotas(address="1/60"),
        traffic=TrafficSettings.model_validate({"trusted_proxies": "192.0.2.0/24"}),
    )
    async with client_of(trusted) as api:
        statuses = [
            (await api.get("/v1/models", headers={"X-Forwarded-For": client})).status_code
            for client in ("198.51.100.1", "198.51.100.1", "198.51.100.2", "9.9.9.9, 198.51.100.2")
        ]
    assert statuses == [401, 429, 401, 429]


@pytest.mark.parametrize("written", ["", "10", "0/60", "10/0", "10/60/60", "x/60", "-1/60"])
def test_a_rate_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    """The message has an example."""
    monkeypatch.setenv("NIGHTSHIFT_QUOTA_SUBJECT", written)
    with pytest.raises(ValueError, match="for example 600/60, or none"):
        QuotaSettings()
