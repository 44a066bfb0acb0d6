"""Outage: without Redis requests are counted on the spot, and nobody waits for it."""

import logging
import time

import pytest
from redis.asyncio import Redis

from api.gateway.outage import FailOpen
from api.gateway.quotas import Rate, Window
from api.gateway.redis_windows import RedisWindows
from api.gateway.windows import LocalWindows
from cli.stack.redis import LocalRedis

COUNTED = Window("subject", "{subject:a}:subject", Rate(5, 60))


@pytest.mark.parametrize("fault", ["kill", "pause"])
async def test_an_outage_is_survived(
    redis: LocalRedis, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A dead and a hanging Redis: the quota holds within the process, the log says it once."""
    client = Redis.from_url(redis.url, socket_timeout=0.2, socket_connect_timeout=0.2)
    await client.flushdb()
    now = 0.0
    windows = FailOpen(RedisWindows(client), LocalWindows(clock=time.monotonic), clock=lambda: now)
    assert (await windows.hit([COUNTED]))[0].remaining == 4
    with caplog.at_level(logging.INFO):
        redis.kill() if fault == "kill" else redis.pause()
        try:
            start = time.monotonic()
            told = [(await windows.hit([COUNTED]))[0].allowed for _ in range(8)]
            assert told == [True] * 5 + [False] * 3
            # One of the eight has asked Redis; its two timeouts bound that.
            assert time.monotonic() - start < 2
        finally:
            redis.start() if fault == "kill" else redis.resume()
        assert not (await windows.hit([COUNTED]))[0].allowed
        now = 2.0
        assert (await windows.hit([COUNTED]))[0].allowed
    await client.aclose()
    assert [record.message for record in caplog.records] == [
        "quotas are counted in this process only",
        "quotas are counted in Redis again",
    ]
