"""Check what only the cache in this process's memory does."""

from registry.cache_local import LocalCache


async def test_what_was_not_read_for_longest_goes_first() -> None:
    """Memory is bounded, for values as for tokens."""
    cache = LocalCache(max_entries=2)
    token = (await cache.read("m", "a")).token
    for key in ("a", "b"):
        await cache.keep("m", key, key.encode(), token=token, life_s=60)
    assert (await cache.read("m", "a")).value == b"a"
    await cache.keep("m", "c", b"c", token=token, life_s=60)
    found = [(await cache.read("m", key)).value for key in "abc"]
    assert found == [b"a", None, b"c"]
    for scope in ("n", "o"):
        await cache.read(scope, "a")
    assert (await cache.read("m", "a")).value is None


async def test_lives_are_counted_by_the_clock() -> None:
    """A value counts until its end, and not at it."""
    now = 100.0
    cache = LocalCache(max_entries=2, clock=lambda: now)
    token = (await cache.read("m", "a")).token
    await cache.keep("m", "a", b"1", token=token, life_s=5)
    now = 104.9
    assert (await cache.read("m", "a")).value == b"1"
    now = 105.0
    assert (await cache.read("m", "a")).value is None
