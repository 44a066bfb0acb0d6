"""Keep answers in Redis, for every process that asks it."""

import hashlib
import math
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from registry.cache import CacheUnavailable, Held

_PREFIX = "nightshift:registry:"
_TOKEN_LIFE_S = 3600
"""A token that is forgotten costs a miss; an hour outlasts every value that is kept under it."""
_SUM_BYTES = 16
_MOST_CONNECTIONS = 16
"""One asks some 10,000 times a second; more would only wait in Redis instead of here."""


class RedisCache:
    """A cache in Redis; see `registry.cache.Cache`.

    A value is stored behind a hash of itself, its key and its token, so one question of two keys
    is enough to tell whether it counts, and what was damaged or misplaced does not.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        """Nothing is asked yet; `timeout_s` bounds each question."""
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

    async def read(self, scope: str, key: str) -> Held:
        """Return the scope's token, and what is kept under it."""
        with _failures_named():
            found = await self._redis.mget(_token_key(scope), _value_key(scope, key))
            token, stored = cast("list[bytes | None]", found)  # no decoding was asked for
            if token is None:
                return Held(await self._draw(scope), None)
        return Held(token, _value(stored, key, token))

    async def keep(
        self, scope: str, key: str, value: bytes, *, token: bytes, life_s: float
    ) -> None:
        """Keep the value for `life_s` under the token that was read before it was."""
        stored = _sum(value, key, token) + value
        with _failures_named():
            await self._redis.set(_value_key(scope, key), stored, px=math.ceil(life_s * 1000))

    async def invalidate(self, *scopes: str) -> None:
        """Have everything that is kept in these scopes count no more."""
        with _failures_named():
            await self._redis.delete(*map(_token_key, scopes))

    async def close(self) -> None:
        """Give connections back."""
        await self._redis.aclose()
        await self._pool.aclose()

    async def _draw(self, scope: str) -> bytes:
        token = secrets.token_hex(8).encode()
        # Two who draw at once: the later one's counts, what the other keeps is a miss.
        await self._redis.set(_token_key(scope), token, ex=_TOKEN_LIFE_S)
        return token


@contextmanager
def _failures_named() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise CacheUnavailable(f"Redis: {str(error) or type(error).__name__}") from error


def _token_key(scope: str) -> str:
    return f"{_PREFIX}{{{scope}}}"


def _value_key(scope: str, key: str) -> str:
    return f"{_PREFIX}{{{scope}}}:{key}"


def _sum(value: bytes, key: str, token: bytes) -> bytes:
    told = b"\0".join((token, key.encode(), value))
    return hashlib.blake2b(told, digest_size=_SUM_BYTES).digest()


def _value(stored: bytes | None, key: str, token: bytes) -> bytes | None:
    if stored is None:
        return None
    value = stored[_SUM_BYTES:]
    return value if stored[:_SUM_BYTES] == _sum(value, key, token) else None
