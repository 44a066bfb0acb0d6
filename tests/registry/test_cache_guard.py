"""Check that a cache that fails is left alone for a while."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from registry.cache import CacheUnavailable, Held
from registry.cache_guard import GuardedCache
from registry.cache_local import LocalCache
from registry.generations import Advanced, Generation

PRESENT = Generation(1, "0" * 16)


class Faulty(LocalCache):
    """A cache that can be away, for which a real one would have to be killed in microseconds."""

    def __init__(self) -> None:
        super().__init__(max_bytes=10**6, lease_s=60, commit_s=1)
        self.away = False
        self.asked = 0
        self.hold: asyncio.Event | None = None

    async def _ask(self) -> None:
        self.asked += 1
        if self.hold is not None:
            await self.hold.wait()
        if self.away:
            raise CacheUnavailable("away")

    async def read(self, scope: str, key: str) -> Held:
        await self._ask()
        return await super().read(scope, key)

    async def fence(self, advanced: Advanced) -> None:
        await self._ask()
        await super().fence(advanced)


class Clock:
    """Tells the time that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def faulty() -> Faulty:
    return Faulty()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def guarded(faulty: Faulty, clock: Clock) -> AsyncIterator[GuardedCache]:
    cache = GuardedCache(faulty, rest_s=0.01, longest_rest_s=0.04, clock=clock)
    yield cache
    await cache.close()


async def _refused(cache: GuardedCache) -> None:
    with pytest.raises(CacheUnavailable):
        await cache.read("m", "k")


async def test_a_failing_cache_is_asked_less_and_less(faulty: Faulty, clock: Clock) -> None:
    """Each rest is twice as long as the one before, up to the longest."""
    guarded = GuardedCache(faulty, rest_s=1, longest_rest_s=4, clock=clock)
    faulty.away = True
    asked = []
    for tick in range(20):
        clock.now = tick
        before = faulty.asked
        for _ in range(10):
            await _refused(guarded)
        if faulty.asked > before:
            asked.append(tick)
            assert faulty.asked == before + 1
    assert asked == [0, 1, 3, 7, 11, 15, 19]


async def test_a_cache_that_is_back_is_used_at_once(
    guarded: GuardedCache, faulty: Faulty, clock: Clock
) -> None:
    """One answer ends the rest, and the next failure begins with a short one."""
    faulty.away = True
    await _refused(guarded)
    faulty.away, clock.now = False, 1.0
    for _ in range(5):
        await guarded.read("m", "k")
    assert faulty.asked == 6


async def test_many_failures_at_once_are_one(
    guarded: GuardedCache, faulty: Faulty, clock: Clock
) -> None:
    """A hundred who were waiting when it went away do not make the rest long."""
    faulty.away, faulty.hold = True, asyncio.Event()
    waiting = [asyncio.create_task(_refused(guarded)) for _ in range(100)]
    await asyncio.sleep(0)
    faulty.hold.set()
    await asyncio.gather(*waiting)
    faulty.hold = None
    faulty.away, clock.now = False, 0.011
    await guarded.read("m", "k")
    assert faulty.asked == 101


async def test_one_probe_at_a_time(guarded: GuardedCache, faulty: Faulty, clock: Clock) -> None:
    """While one finds out whether the cache is back, others do not wait for it."""
    faulty.away = True
    await _refused(guarded)
    faulty.away, clock.now, faulty.hold = False, 1.0, asyncio.Event()
    probe = asyncio.create_task(guarded.read("m", "k"))
    await asyncio.sleep(0)
    await _refused(guarded)
    faulty.hold.set()
    await probe
    assert faulty.asked == 2


async def test_a_fence_that_is_not_put_up_is_told(guarded: GuardedCache, faulty: Faulty) -> None:
    """Whoever changes something has to know, also while the cache is left alone."""
    faulty.away = True
    for _ in range(2):
        with pytest.raises(CacheUnavailable):
            await guarded.fence({"m": PRESENT})
    assert faulty.asked == 1
