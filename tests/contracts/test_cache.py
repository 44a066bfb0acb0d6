"""Check what every cache of the registry promises: in this process, and in Redis."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from registry.cache import Cache, Held
from registry.cache_guard import GuardedCache
from registry.cache_local import LocalCache
from registry.cache_redis import RedisCache
from registry.generations import UNTOUCHED, Generation

LEASE_S, COMMIT_S = 30.0, 30.0
SHORT_LEASE_S = 0.1
FIRST, SECOND, THIRD = (Generation(number, f"{number:016x}") for number in (1, 2, 3))


@pytest.fixture(params=["local", "redis", "guarded"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which cache."""
    return str(request.param)


@pytest.fixture
async def cache(request: pytest.FixtureRequest, kind: str) -> AsyncIterator[Cache]:
    """One whose leases and fences outlast a test."""
    found = _opened(request, kind, lease_s=LEASE_S, commit_s=COMMIT_S)
    yield found
    await found.close()


@pytest.fixture
async def hasty(request: pytest.FixtureRequest, kind: str) -> AsyncIterator[Cache]:
    """One whose leases are short, for commits that take no time."""
    found = _opened(request, kind, lease_s=SHORT_LEASE_S, commit_s=0)
    yield found
    await found.close()


def _opened(request: pytest.FixtureRequest, kind: str, *, lease_s: float, commit_s: float) -> Cache:
    if kind == "local":
        return LocalCache(max_bytes=10**6, lease_s=lease_s, commit_s=commit_s)
    url = request.getfixturevalue("redis_url")
    found = RedisCache(url, timeout_s=10, lease_s=lease_s, commit_s=commit_s)
    return GuardedCache(found, rest_s=1, longest_rest_s=1) if kind == "guarded" else found


async def _believe(cache: Cache, scope: str, generation: Generation) -> None:
    await cache.believe(scope, generation, since=await cache.now())


async def _kept(cache: Cache, scope: str, key: str, value: bytes, life_s: float = 60) -> None:
    await _believe(cache, scope, FIRST)
    await cache.keep(scope, key, value, generation=FIRST, life_s=life_s)


async def test_what_was_kept_is_found(cache: Cache) -> None:
    """Any bytes, under the generation that the scope has."""
    for value in (b"", b"\0\xff", b"x" * 100_000):
        await _kept(cache, "flights", "v1", value)
        assert await cache.read("flights", "v1") == Held(FIRST, value)


async def test_scopes_and_keys_do_not_mix(cache: Cache) -> None:
    """Not even where one's name is the beginning of another's."""
    await _kept(cache, "a", "b", b"1")
    for scope, key in (("a", "c"), ("b", "b"), ("a:b", "b"), ("a", "b:b"), ("", "ab"), ("a}", "b")):
        await _believe(cache, scope, FIRST)
        assert await cache.read(scope, key) == Held(FIRST, None)
    assert (await cache.read("a", "b")).value == b"1"


async def test_a_fenced_scope_has_nothing(cache: Cache) -> None:
    """All of its keys are misses; other scopes stay; several go at once."""
    for scope in ("a", "b", "c"):
        await _kept(cache, scope, "1", b"1")
        await cache.keep(scope, "2", b"2", generation=FIRST, life_s=60)
    await cache.fence({"a": SECOND, "b": SECOND})
    found = [await cache.read(scope, key) for scope in "abc" for key in "12"]
    assert found == [Held(None, None)] * 4 + [Held(FIRST, b"1"), Held(FIRST, b"2")]


async def test_what_is_behind_a_fence_is_not_believed(cache: Cache) -> None:
    """Only the generation that the fence was put up for, or a later one, ends it."""
    await cache.fence({"a": SECOND})
    for generation in (UNTOUCHED, FIRST):
        await _believe(cache, "a", generation)
        assert await cache.read("a", "1") == Held(None, None)
    await _believe(cache, "a", SECOND)
    assert await cache.read("a", "1") == Held(SECOND, None)
    await cache.fence({"a": THIRD})
    await cache.fence({"a": SECOND})  # whoever was slower
    await _believe(cache, "a", SECOND)
    assert await cache.read("a", "1") == Held(None, None)


async def test_a_fence_ends_the_belief_in_its_own_generation(cache: Cache) -> None:
    """Put up again after the commit it costs one question to the database, no more."""
    await _kept(cache, "a", "1", b"1")
    await cache.fence({"a": FIRST})
    assert await cache.read("a", "1") == Held(None, None)
    await _believe(cache, "a", FIRST)
    assert await cache.read("a", "1") == Held(FIRST, b"1")


async def test_an_older_generation_does_not_come_back(cache: Cache) -> None:
    """Whoever read it before a change, and says so after another has said the new one."""
    await _believe(cache, "a", SECOND)
    await _believe(cache, "a", FIRST)
    assert await cache.read("a", "1") == Held(SECOND, None)


async def test_a_belief_that_comes_late_is_none(cache: Cache) -> None:
    """It is over a lease after the database was asked, however late it is said."""
    long_ago = await cache.now() - LEASE_S
    await cache.believe("a", FIRST, since=long_ago)
    assert await cache.read("a", "1") == Held(None, None)
    await cache.believe("a", FIRST, since=long_ago + 0.05)
    while (await cache.read("a", "1")).generation is not None:
        await asyncio.sleep(0.01)
    assert await cache.now() >= long_ago + LEASE_S


async def test_a_fence_outlives_who_asked_before_it(hasty: Cache) -> None:
    """What the database said before a change is not believed, at whatever moment it is told."""
    since = await hasty.now()
    await hasty.fence({"a": SECOND})
    while await hasty.now() < since + 2 * SHORT_LEASE_S:
        await hasty.believe("a", FIRST, since=since)
        assert await hasty.read("a", "1") == Held(None, None)
        await asyncio.sleep(0.001)


async def test_nothing_is_known_before_somebody_says_it(cache: Cache) -> None:
    """Nor of a scope that was never written, until the database was asked."""
    assert await cache.read("a", "1") == Held(None, None)
    await _believe(cache, "a", UNTOUCHED)
    assert await cache.read("a", "1") == Held(UNTOUCHED, None)


async def test_a_late_value_is_never_seen(cache: Cache) -> None:
    """What was read before a change and is kept after it does not count.

    Neither at once, nor after a newer value was kept and lost, nor after the next change.
    """
    await _believe(cache, "a", FIRST)
    await cache.fence({"a": SECOND})
    await _believe(cache, "a", SECOND)
    await cache.keep("a", "1", b"old", generation=FIRST, life_s=60)
    assert await cache.read("a", "1") == Held(SECOND, None)
    await cache.keep("a", "1", b"new", generation=SECOND, life_s=60)
    await cache.keep("a", "1", b"old", generation=FIRST, life_s=60)
    assert await cache.read("a", "1") == Held(SECOND, None)
    await _believe(cache, "a", THIRD)
    assert await cache.read("a", "1") == Held(THIRD, None)


async def test_generations_of_other_databases_are_others(cache: Cache) -> None:
    """One that counts alike, or was restored from a copy, has other marks."""
    await _kept(cache, "a", "1", b"1")
    other = Generation(FIRST.number, "f" * 16)
    await _believe(cache, "a", other)
    assert await cache.read("a", "1") == Held(other, None)


async def test_a_value_has_an_end(cache: Cache) -> None:
    """After its life it is a miss, while the generation stays."""
    await _kept(cache, "flights", "v1", b"1", life_s=0.02)
    await cache.keep("flights", "v2", b"2", generation=FIRST, life_s=60)
    while (await cache.read("flights", "v1")).value is not None:
        await asyncio.sleep(0.01)
    assert await cache.read("flights", "v2") == Held(FIRST, b"2")


async def test_a_value_outlives_the_lease(cache: Cache) -> None:
    """Once the database was asked and has not moved on, what was kept counts again."""
    await cache.believe("a", FIRST, since=await cache.now() - LEASE_S + 0.05)
    await cache.keep("a", "1", b"1", generation=FIRST, life_s=60)
    while (await cache.read("a", "1")).generation is not None:
        await asyncio.sleep(0.01)
    await _believe(cache, "a", FIRST)
    assert await cache.read("a", "1") == Held(FIRST, b"1")


async def test_many_at_once(cache: Cache) -> None:
    """Hundreds who read and keep in one moment leave one of their values, whole."""

    async def work(number: int) -> None:
        held = await cache.read("flights", "v1")
        assert held.generation == FIRST
        await cache.keep("flights", "v1", b"%d" % number, generation=FIRST, life_s=60)

    await _kept(cache, "flights", "v1", b"0")
    await asyncio.gather(*(work(number) for number in range(300)))
    assert (await cache.read("flights", "v1")).value in {b"%d" % n for n in range(300)}
