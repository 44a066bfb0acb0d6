"""Check what only the cache in this process's memory does."""

from registry.cache import Held
from registry.cache_local import LocalCache
from registry.generations import Generation

PRESENT = Generation(1, "0" * 16)


async def test_what_was_not_read_for_longest_goes_first() -> None:
    """Memory is bounded by bytes, and what would never fit is not kept."""
    cache = LocalCache(max_bytes=10_000, lease_s=1, commit_s=1)
    await cache.believe("m", PRESENT, since=await cache.now())

    async def keep(key: str, size: int) -> None:
        await cache.keep("m", key, b"x" * size, generation=PRESENT, life_s=60)

    async def held() -> str:
        return "".join([key for key in "abcd" if (await cache.read("m", key)).value is not None])

    for key in "ab":
        await keep(key, 4000)
    assert (await cache.read("m", "a")).value == b"x" * 4000
    await keep("c", 4000)
    assert await held() == "ac"
    await keep("d", 20_000)
    assert await held() == "ac"
    await keep("c", 10)
    await keep("b", 4000)
    assert await held() == "abc"


async def test_ends_are_by_the_clock() -> None:
    """Lives, leases and fences count until their end, and not at it."""
    now = 100.0
    cache = LocalCache(max_bytes=10_000, lease_s=5, commit_s=2, clock=lambda: now)
    await cache.believe("m", PRESENT, since=now)
    await cache.keep("m", "a", b"1", generation=PRESENT, life_s=10)
    now = 104.9
    assert await cache.read("m", "a") == Held(PRESENT, b"1")
    now = 105.0
    assert await cache.read("m", "a") == Held(None, None)
    await cache.believe("m", PRESENT, since=now)
    now = 109.9
    assert await cache.read("m", "a") == Held(PRESENT, b"1")
    await cache.believe("m", PRESENT, since=now)
    now = 110.0
    assert await cache.read("m", "a") == Held(PRESENT, None)
    await cache.fence({"m": Generation(2, "1" * 16)})
    now = 116.9
    await cache.believe("m", PRESENT, since=now)
    assert await cache.read("m", "a") == Held(None, None)
    now = 117.0
    await cache.believe("m", PRESENT, since=now)
    assert await cache.read("m", "a") == Held(PRESENT, None)
