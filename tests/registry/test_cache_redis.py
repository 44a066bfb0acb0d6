"""Check what the cache in Redis does when Redis or its data are not what they should be."""

from collections.abc import AsyncIterator, Callable

import pytest

from cli.stack.redis import LocalRedis
from registry.cache import CacheUnavailable
from registry.cache_redis import RedisCache

TOKEN = "nightshift:registry:{flights}"
VALUE = "nightshift:registry:{flights}:v1"


@pytest.fixture
async def cache(redis_url: str) -> AsyncIterator[RedisCache]:
    found = RedisCache(redis_url, timeout_s=10)
    yield found
    await found.close()


async def _keep(cache: RedisCache) -> None:
    token = (await cache.read("flights", "v1")).token
    await cache.keep("flights", "v1", b"true", token=token, life_s=60)
    assert (await cache.read("flights", "v1")).value == b"true"


@pytest.mark.parametrize(
    "damage",
    [
        f"SET {VALUE} true",
        f"SET {VALUE} ''",
        f"SETRANGE {VALUE} 17 u",
        f"SETRANGE {VALUE} 0 u",
        f"APPEND {VALUE} x",
        f"DEL {VALUE}",
        f"SET {TOKEN} guessed",
        f"DEL {TOKEN}",
        "FLUSHALL",
    ],
)
async def test_a_damaged_value_is_a_miss(
    cache: RedisCache, redis_server: LocalRedis, damage: str
) -> None:
    """Whoever wrote something else there causes one question to the database, no more."""
    await _keep(cache)
    assert redis_server.ask(damage.encode())[:1] in b"+:"
    assert (await cache.read("flights", "v1")).value is None
    await _keep(cache)


@pytest.mark.parametrize("key", [TOKEN, VALUE])
async def test_a_key_of_another_type_is_a_miss(
    cache: RedisCache, redis_server: LocalRedis, key: str
) -> None:
    """A list in the place of a text is written over."""
    await _keep(cache)
    assert redis_server.ask(f"DEL {key}".encode()) == b":1\r\n"
    assert redis_server.ask(f"RPUSH {key} x".encode()) == b":1\r\n"
    assert (await cache.read("flights", "v1")).value is None
    await _keep(cache)


async def test_a_value_moved_to_another_key_is_a_miss(
    cache: RedisCache, redis_server: LocalRedis
) -> None:
    """The answer to another question does not count, though it is whole."""
    await _keep(cache)
    assert redis_server.ask(f"COPY {VALUE} {TOKEN}:v2".encode()) == b":1\r\n"
    assert (await cache.read("flights", "v2")).value is None


async def test_what_is_kept_has_an_end(cache: RedisCache, redis_server: LocalRedis) -> None:
    """Neither values nor tokens stay in Redis for good."""
    await _keep(cache)
    assert 0 < int(redis_server.ask(f"TTL {VALUE}".encode())[1:]) <= 60
    assert 3000 < int(redis_server.ask(f"TTL {TOKEN}".encode())[1:]) <= 3600


async def test_a_redis_that_hangs_is_given_up(redis_factory: Callable[[], LocalRedis]) -> None:
    """The wait is bounded; when it goes on, so does the cache."""
    server = redis_factory()
    cache = RedisCache(server.url, timeout_s=2)
    await cache.read("flights", "v1")
    server.pause()
    with pytest.raises(CacheUnavailable, match=r"^Redis: "):
        await cache.read("flights", "v1")
    server.resume()
    await cache.read("flights", "v1")
    await cache.close()


async def test_a_redis_that_is_gone_is_named(redis_factory: Callable[[], LocalRedis]) -> None:
    """Every question fails; another one that takes its place is used."""
    server = redis_factory()
    cache = RedisCache(server.url, timeout_s=60)
    token = (await cache.read("flights", "v1")).token
    server.kill()
    with pytest.raises(CacheUnavailable, match=r"^Redis: "):
        await cache.read("flights", "v1")
    with pytest.raises(CacheUnavailable):
        await cache.keep("flights", "v1", b"1", token=token, life_s=1)
    with pytest.raises(CacheUnavailable):
        await cache.invalidate("flights")
    server.start()
    assert (await cache.read("flights", "v1")).value is None
    await cache.close()
