"""Capacity: what there is no room for is told at once."""

import asyncio
from dataclasses import replace

from api.gateway.settings import TrafficSettings
from api.settings import Settings
from tests.api import tokens
from tests.api.gateway.conftest import client_of


async def test_beyond_capacity_is_503(settings: Settings) -> None:
    """Not 429, which would blame the caller; whoever watches is answered all the same."""
    traffic = TrafficSettings(max_in_flight=3)
    async with client_of(replace(settings, traffic=traffic)) as api:
        sent = [api.get("/probe/slow/300", headers=tokens.bearer()) for _ in range(8)]
        under_way = [asyncio.ensure_future(each) for each in sent]
        await asyncio.sleep(0.1)
        watched = await api.get("/health/live")
        answers = await asyncio.gather(*under_way)
        after = await api.get("/probe/slow/0", headers=tokens.bearer())
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] * 3 + [503] * 5
    assert (watched.status_code, after.status_code) == (200, 200)
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["type"] == "urn:nightshift:problem:over-capacity"
