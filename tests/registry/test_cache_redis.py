"""Check what the cache in Redis does when Redis or its data are not what they should be."""

from collections.abc import AsyncIterator, Callable

import pytest

from cli.stack.redis import LocalRedis
from registry.cache import CacheUnavailable
from registry.cache_redis import RedisCache
from registry.generations import Generation

LEASE_S, COMMIT_S = 600.0, 300.0
PRESENT, NEXT = Generation(1, "0" * 16), Generation(2, "1" * 16)
SCOPE = "nightshift:registry:{flights}"
VALUE = "nightshift:registry:{flights}:v1"


@pytest.fixture
async def cache(redis_url: str) -> AsyncIterator[RedisCache]:
    found = _cache(redis_url, timeout_s=10)
    yield found
    await found.close()


def _cache(url: str, *, timeout_s: float) -> RedisCache:
    return RedisCache(url, timeout_s=timeout_s, lease_s=LEASE_S, commit_s=COMMIT_S)


async def _keep(cache: RedisCache) -> None:
    await cache.believe("flights", PRESENT, since=await cache.now())
    await cache.keep("flights", "v1", b"true", generation=PRESENT, life_s=60)
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
        f"SET {SCOPE} guessed",
        f"SET {SCOPE} 1.",
        f"SET {SCOPE} 1.1",
        f"SET {SCOPE} -1.0",
        f"SET {SCOPE} .0",
        f"APPEND {SCOPE} 0",
        f"DEL {SCOPE}",
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


@pytest.mark.parametrize("key", [SCOPE, VALUE])
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
    assert redis_server.ask(f"COPY {VALUE} {SCOPE}:v2".encode()) == b":1\r\n"
    assert (await cache.read("flights", "v2")).value is None


async def test_what_is_kept_has_an_end(cache: RedisCache, redis_server: LocalRedis) -> None:
    """Neither values nor leases nor fences stay in Redis for good."""

    def left_s(key: str) -> int:
        return int(redis_server.ask(f"TTL {key}".encode())[1:])

    await _keep(cache)
    assert 0 < left_s(VALUE) <= 60
    assert 60 < left_s(SCOPE) <= LEASE_S
    await cache.fence({"flights": NEXT})
    assert LEASE_S < left_s(SCOPE) <= LEASE_S + COMMIT_S


async def test_a_redis_that_hangs_is_given_up(redis_factory: Callable[[], LocalRedis]) -> None:
    """The wait is bounded; when it goes on, so does the cache."""
    server = redis_factory()
    cache = _cache(server.url, timeout_s=2)
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
    cache = _cache(server.url, timeout_s=60)
    await _keep(cache)
    server.kill()
    for ask in (
        lambda: cache.now(),
        lambda: cache.read("flights", "v1"),
        lambda: cache.believe("flights", PRESENT, since=0),
        lambda: cache.keep("flights", "v1", b"1", generation=PRESENT, life_s=1),
        lambda: cache.fence({"flights": NEXT}),
    ):
        with pytest.raises(CacheUnavailable, match=r"^Redis: "):
            await ask()
    server.start()
    assert (await cache.read("flights", "v1")).value is None
    await cache.close()
