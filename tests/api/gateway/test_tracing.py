"""Request ids and traces: kept from a caller who is sane, made for the others."""

import re

import pytest

from api.settings import Settings
from tests.api import tokens
from tests.api.gateway.conftest import client_of

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize("said", ["a", "2026-11-23:nightly.7_x", "A" * 128])
async def test_a_sane_id_is_repeated(settings: Settings, said: str) -> None:
    """On each answer, a refusal too."""
    async with client_of(settings) as api:
        for headers in ({}, tokens.bearer()):
            answer = await api.get("/probe/slow/0", headers={"X-Request-ID": said, **headers})
            assert answer.headers.get_list("x-request-id") == [said]


@pytest.mark.parametrize("said", ["", "-a", "A" * 129, "a b", "a\tb", "<x>", "é", "a,b"])
async def test_another_id_is_replaced(settings: Settings, said: str) -> None:
    """It would be written to logs and headers."""
    async with client_of(settings) as api:
        answer = await api.get("/health/live", headers={b"X-Request-ID": said.encode()})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


async def test_a_trace_goes_on(settings: Settings) -> None:
    """The answer tells our span in it; a malformed one is left behind."""
    async with client_of(settings) as api:
        good = await api.get(
            "/health/live", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
        )
        bad = await api.get("/health/live", headers={"traceparent": f"00-{TRACE}-0-01"})
    assert good.headers["traceparent"].split("-")[1] == TRACE
    assert "b7ad6b7169203331" not in good.headers["traceparent"]
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", bad.headers["traceparent"])
    assert TRACE not in bad.headers["traceparent"]
