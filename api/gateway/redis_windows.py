"""Count requests of all processes together, in Redis."""

from collections.abc import Sequence

from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.gateway.quotas import Spent, Window
from api.gateway.windows import WindowsAway

_PREFIX = "nightshift:quota:"
_US = 1_000_000

# Each window is a list of times in microseconds, the newest first. Redis' own clock is used, so
# that the clocks of several API servers need not agree. Returns for each window how many count
# and when the oldest of them is forgotten, after whether the request was counted.
_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local room = 1
for i, key in ipairs(KEYS) do
  local limit, span = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  while true do
    local oldest = redis.call('LINDEX', key, -1)
    if not oldest or tonumber(oldest) > now - span then break end
    redis.call('RPOP', key)
  end
  if redis.call('LLEN', key) >= limit then room = 0 end
end
local answer = {room}
for i, key in ipairs(KEYS) do
  local span = tonumber(ARGV[2 * i])
  if room == 1 then
    redis.call('LPUSH', key, string.format('%.0f', now))
    redis.call('PEXPIRE', key, math.ceil(span / 1000))
  end
  local oldest = redis.call('LINDEX', key, -1)
  answer[2 * i] = redis.call('LLEN', key)
  answer[2 * i + 1] = oldest and tonumber(oldest) + span - now or 0
end
return answer
"""


class RedisWindows:
    """Counts in one round trip, whatever the number of windows."""

    def __init__(self, redis: "Redis") -> None:
        """The timeouts of `redis` bound what a request may wait for being counted."""
        self._script = redis.register_script(_SCRIPT)

    async def hit(self, windows: Sequence[Window]) -> tuple[Spent, ...]:
        """Count one request; see `Windows`."""
        keys = [_PREFIX + window.key for window in windows]
        limits = [
            number
            for window in windows
            for number in (window.rate.limit, window.rate.window_s * _US)
        ]
        try:
            room, *told = await self._script(keys=keys, args=limits)
        except (RedisError, OSError, TimeoutError) as error:
            raise WindowsAway(str(error) or type(error).__name__) from error
        pairs = zip(windows, told[::2], told[1::2], strict=True)
        return tuple(_spent(window, count, left, bool(room)) for window, count, left in pairs)


def _spent(window: Window, count: int, left_us: int, counted: bool) -> Spent:
    remaining = max(0, window.rate.limit - count)
    return Spent(window, remaining, left_us / _US, counted or remaining > 0)
