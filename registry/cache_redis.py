"""Keep answers in Redis, for every process that asks it."""

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from registry.cache import CacheUnavailable, Held
from registry.generations import Advanced, Generation

_PREFIX = "nightshift:registry:"
_SUM_BYTES = 16
_MOST_CONNECTIONS = 16
"""One asks some 10,000 times a second; more would only wait in Redis instead of here."""
_MS = 1000

# What is known of a scope's generation is NUMBER.MARK, and NUMBER. behind a fence. What anybody
# else may have written there counts as nothing.
_KNOWN = """
local function known(key)
  local found = redis.pcall('GET', key)
  if type(found) ~= 'string' then return nil end
  return tonumber(string.match(found, '^(%d+)%.%x*$'))
end
"""
_BELIEVE = f"""{_KNOWN}
local time = redis.call('TIME')
local number = known(KEYS[1])
if tonumber(ARGV[3]) <= time[1] * 1000 + time[2] / 1000 then return end
if number and number > tonumber(ARGV[1]) then return end
redis.call('SET', KEYS[1], ARGV[1] .. '.' .. ARGV[2], 'PXAT', ARGV[3])
"""
_FENCE = f"""{_KNOWN}
for at, key in ipairs(KEYS) do
  local number = known(key)
  if not number or number <= tonumber(ARGV[at + 1]) then
    redis.call('SET', key, ARGV[at + 1] .. '.', 'PX', ARGV[1])
  end
end
"""


class RedisCache:
    """A cache in Redis; see `registry.cache.Cache`.

    A value is stored behind a hash of itself, its key and its generation, so one question of two
    keys is enough to tell whether it counts, and what was damaged or misplaced does not. Leases
    and fences end by Redis' own clock.
    """

    def __init__(self, url: str, *, timeout_s: float, lease_s: float, commit_s: float) -> None:
        """Nothing is asked yet; `timeout_s` bounds each question.

        A fence that no new generation ends is forgotten `commit_s`, the longest that a commit
        takes, and a lease after it was put up.
        """
        self._lease_s = lease_s
        self._fence_s = lease_s + commit_s
        self._pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_MOST_CONNECTIONS,
            timeout=timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            # A second try would double the bound; whoever asks goes to the database instead.
            retry=Retry(NoBackoff(), 0),
        )
        self._redis = Redis(connection_pool=self._pool)
        self._believe = self._redis.register_script(_BELIEVE)
        self._fence = self._redis.register_script(_FENCE)

    async def now(self) -> float:
        """Return the moment, in seconds since 1970 as Redis has it."""
        with _failures_named():
            seconds, microseconds = await self._redis.time()
        return seconds + microseconds / 1e6

    async def read(self, scope: str, key: str) -> Held:
        """Return the scope's generation, and what is kept under it."""
        with _failures_named():
            found = await self._redis.mget(_scope_key(scope), _value_key(scope, key))
        known, stored = cast("list[bytes | None]", found)  # no decoding was asked for
        generation = _generation(known)
        if known is None or generation is None:
            return Held(None, None)
        return Held(generation, _value(stored, key, known))

    async def believe(self, scope: str, generation: Generation, *, since: float) -> None:
        """Take this for the present generation until a lease after `since` is over."""
        until_ms = int((since + self._lease_s) * _MS)
        with _failures_named():
            await self._believe(
                keys=[_scope_key(scope)], args=[generation.number, generation.mark, until_ms]
            )

    async def keep(
        self, scope: str, key: str, value: bytes, *, generation: Generation, life_s: float
    ) -> None:
        """Keep the value for `life_s` under the generation that was known before it was read."""
        stored = _sum(value, key, _text(generation)) + value
        with _failures_named():
            await self._redis.set(_value_key(scope, key), stored, px=math.ceil(life_s * _MS))

    async def fence(self, advanced: Advanced) -> None:
        """Believe in no older generation of these scopes than the one given."""
        numbers = [generation.number for generation in advanced.values()]
        with _failures_named():
            await self._fence(
                keys=[_scope_key(scope) for scope in advanced],
                args=[math.ceil(self._fence_s * _MS), *numbers],
            )

    async def close(self) -> None:
        """Give connections back."""
        await self._redis.aclose()
        await self._pool.aclose()


@contextmanager
def _failures_named() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise CacheUnavailable(f"Redis: {str(error) or type(error).__name__}") from error


def _scope_key(scope: str) -> str:
    return f"{_PREFIX}{{{scope}}}"


def _value_key(scope: str, key: str) -> str:
    return f"{_PREFIX}{{{scope}}}:{key}"


def _text(generation: Generation) -> bytes:
    return f"{generation.number}.{generation.mark}".encode()


def _generation(known: bytes | None) -> Generation | None:
    """Return the generation, None behind a fence or for what is none."""
    number, dot, mark = (known or b"").partition(b".")
    if not dot or not number.isdigit():
        return None
    if not mark and number != b"0":
        return None
    return Generation(int(number), mark.decode(errors="replace"))


def _sum(value: bytes, key: str, generation: bytes) -> bytes:
    told = b"\0".join((generation, key.encode(), value))
    return hashlib.blake2b(told, digest_size=_SUM_BYTES).digest()


def _value(stored: bytes | None, key: str, generation: bytes) -> bytes | None:
    if stored is None:
        return None
    value = stored[_SUM_BYTES:]
    return value if stored[:_SUM_BYTES] == _sum(value, key, generation) else None
