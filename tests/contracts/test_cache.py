"""Check what every cache of the registry promises: in this process, and in Redis."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from registry.cache import Cache
from registry.cache_guard import GuardedCache
from registry.cache_local import LocalCache
from registry.cache_redis import RedisCache


@pytest.fixture(params=["local", "redis", "guarded"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[Cache]:
    found: Cache = LocalCache(max_entries=100)
    if request.param != "local":
        url = request.getfixturevalue("redis_url")
        found = RedisCache(url, timeout_s=10)
    if request.param == "guarded":
        found = GuardedCache(found, rest_s=1, longest_rest_s=1)
    yield found
    await found.close()


async def _kept(cache: Cache, scope: str, key: str, value: bytes, life_s: float = 60) -> bytes:
    token = (await cache.read(scope, key)).token
    await cache.keep(scope, key, value, token=token, life_s=life_s)
    return token


async def test_what_was_kept_is_found(cache: Cache) -> None:
    """Any bytes, under the token that the scope has."""
    for value in (b"", b"\0\xff", b"x" * 100_000):
        token = await _kept(cache, "flights", "v1", value)
        held = await cache.read("flights", "v1")
        assert (held.token, held.value) == (token, value)


async def test_scopes_and_keys_do_not_mix(cache: Cache) -> None:
    """Not even where one's name is the beginning of another's."""
    await _kept(cache, "a", "b", b"1")
    for scope, key in (("a", "c"), ("b", "b"), ("a:b", "b"), ("a", "b:b"), ("", "ab"), ("a}", "b")):
        assert (await cache.read(scope, key)).value is None
    assert (await cache.read("a", "b")).value == b"1"


async def test_an_invalidated_scope_has_nothing(cache: Cache) -> None:
    """All of its keys are misses; other scopes stay; several go at once."""
    for scope in ("a", "b", "c"):
        await _kept(cache, scope, "1", b"1")
        await _kept(cache, scope, "2", b"2")
    await cache.invalidate("a", "b")
    found = [(await cache.read(scope, key)).value for scope in "abc" for key in "12"]
    assert found == [None, None, None, None, b"1", b"2"]


async def test_a_late_value_is_never_seen(cache: Cache) -> None:
    """What was read before an invalidation and is kept after it does not count.

    Neither at once, nor after a newer value was kept and lost, nor after the next invalidation.
    """
    early = (await cache.read("flights", "champion")).token
    await cache.invalidate("flights")
    await cache.keep("flights", "champion", b"old", token=early, life_s=60)
    assert (await cache.read("flights", "champion")).value is None
    await _kept(cache, "flights", "champion", b"new")
    await cache.keep("flights", "champion", b"old", token=early, life_s=60)
    assert (await cache.read("flights", "champion")).value is None
    await cache.invalidate("flights")
    assert (await cache.read("flights", "champion")).value is None


async def test_tokens_are_not_used_twice(cache: Cache) -> None:
    """Each invalidation is followed by another token."""
    tokens = set()
    for _ in range(50):
        tokens.add((await cache.read("flights", "champion")).token)
        await cache.invalidate("flights")
    assert len(tokens) == 50


async def test_a_value_has_an_end(cache: Cache) -> None:
    """After its life it is a miss, while the token stays."""
    token = await _kept(cache, "flights", "v1", b"1", life_s=0.02)
    await _kept(cache, "flights", "v2", b"2")
    while (await cache.read("flights", "v1")).value is not None:
        await asyncio.sleep(0.01)
    held = await cache.read("flights", "v2")
    assert (held.token, held.value) == (token, b"2")


async def test_many_at_once(cache: Cache) -> None:
    """Hundreds who read and keep in one moment leave one of their values, whole."""

    async def work(number: int) -> None:
        held = await cache.read("flights", "v1")
        await cache.keep("flights", "v1", b"%d" % number, token=held.token, life_s=60)

    await _kept(cache, "flights", "v1", b"0")
    await asyncio.gather(*(work(number) for number in range(300)))
    assert (await cache.read("flights", "v1")).value in {b"%d" % n for n in range(300)}
