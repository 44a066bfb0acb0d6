"""Capacity: what there is no room for is told at once."""

import asyncio
from dataclasses import replace
from pathlib import Path

from api.gateway.settings import TrafficSettings
from api.settings import Settings
from tests.api import tokens
from tests.api.gateway.conftest import client_of
from tests.inference.scripted import until


async def test_beyond_capacity_is_503(settings: Settings, tmp_path: Path) -> None:
    """Not 429, which would blame the caller; whoever watches is answered all the same."""
    traffic = TrafficSettings(max_in_flight=3)
    async with client_of(replace(settings, traffic=traffic)) as api:
        held = f"/probe/held?until={tmp_path / 'go'}"
        sent = [api.get(held, headers=tokens.bearer()) for _ in range(8)]
        under_way = [asyncio.ensure_future(each) for each in sent]
        await until(lambda: sum(each.done() for each in under_way) == 5)
        watched = await api.get("/health/live")
        (tmp_path / "go").touch()
        answers = await asyncio.gather(*under_way)
        after = await api.get("/probe/slow/0", headers=tokens.bearer())
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] * 3 + [503] * 5
    assert (watched.status_code, after.status_code) == (200, 200)
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["type"] == "urn:nightshift:problem:over-capacity"
