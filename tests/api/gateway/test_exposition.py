"""The metrics page: for whoever has its token, if it has one."""

from dataclasses import replace

import pytest

from api.gateway.settings import TrafficSettings
from api.settings import Settings
from tests.api import tokens
from tests.api.gateway.conftest import client_of


async def test_without_a_token_of_its_own_it_is_open(settings: Settings) -> None:
    """In Prometheus' format, with what is running."""
    async with client_of(settings) as api:
        answer = await api.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "nightshift_build_info{" in answer.text
    assert "nightshift_http_requests_in_flight 1.0" in answer.text


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer other"}, 401),
        ({"Authorization": "scraper"}, 401),
        ({"Authorization": "Bearer é"}, 401),
        (tokens.bearer(), 401),
        ({"Authorization": "Bearer scraper"}, 200),
    ],
)
async def test_with_one_only_that_opens_it(
    settings: Settings, header: dict[str, str], status: int
) -> None:
    """The API's own tokens do not."""
    traffic = TrafficSettings.model_validate({"metrics_token": "scraper"})
    sent = {name.encode(): value.encode() for name, value in header.items()}
    async with client_of(replace(settings, traffic=traffic)) as api:
        assert (await api.get("/metrics", headers=sent)).status_code == status
