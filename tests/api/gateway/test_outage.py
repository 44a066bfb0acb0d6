"""Outage: without Redis requests are counted on the spot, and nobody waits for it."""

import logging
import time
from collections.abc import Sequence

import pytest
from redis.asyncio import Redis

from api.gateway.outage import FailOpen
from api.gateway.quotas import Rate, Spent, Window
from api.gateway.redis_windows import RedisWindows
from api.gateway.windows import LocalWindows
from cli.stack.redis import LocalRedis

COUNTED = Window("subject", "{subject:a}:subject", Rate(5, 3600))


class Counting(RedisWindows):
    """Windows in Redis that count how often it was asked."""

    asked = 0

    async def hit(self, windows: Sequence[Window]) -> tuple[Spent, ...]:
        """Ask Redis."""
        self.asked += 1
        return await super().hit(windows)


@pytest.mark.parametrize("fault", ["kill", "pause"])
async def test_an_outage_is_survived(
    redis: LocalRedis, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A dead and a hanging Redis: the quota holds within the process, the log says it once."""
    client = Redis.from_url(redis.url, socket_timeout=2.0, socket_connect_timeout=2.0)
    await client.flushdb()
    now = 0.0
    counting = Counting(client)
    windows = FailOpen(counting, LocalWindows(clock=time.monotonic), clock=lambda: now)
    assert (await windows.hit([COUNTED]))[0].remaining == 4
    with caplog.at_level(logging.INFO):
        redis.kill() if fault == "kill" else redis.pause()
        try:
            told = [(await windows.hit([COUNTED]))[0].allowed for _ in range(8)]
            assert told == [True] * 5 + [False] * 3
            assert counting.asked == 2, "of the eight one has asked Redis"
        finally:
            redis.start() if fault == "kill" else redis.resume()
        assert not (await windows.hit([COUNTED]))[0].allowed
        now = 2.0
        assert (await windows.hit([COUNTED]))[0].allowed
    await client.aclose()
    logged = [record.message for record in caplog.records if record.name == "api.gateway.outage"]
    assert logged == [
        "quotas are counted in this process only",
        "quotas are counted in Redis again",
    ]
