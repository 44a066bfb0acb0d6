"""Leave a cache alone for a while after it failed, and owe it what it has to forget."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from registry.cache import Cache, CacheUnavailable, Held

_log = logging.getLogger(__name__)

T = TypeVar("T")


class GuardedCache:
    """A cache whose failures cost little; see `registry.cache.Cache`.

    After a failure nobody asks for `rest_s`, doubled with each failure up to `longest_rest_s`; then
    one question finds out whether the cache is back. So a cache that hangs costs one timeout in
    each rest, not one for each question.

    An invalidation never fails. One that could not be delivered is owed: it is tried again until
    it is, and until then this process does not believe what the cache says of that scope. Others
    who can reach the cache may see what was kept for as long as it lives.
    """

    def __init__(
        self,
        cache: Cache,
        *,
        rest_s: float,
        longest_rest_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._first_rest_s = rest_s
        self._longest_rest_s = longest_rest_s
        self._clock = clock
        self._rest_s = 0.0
        self._asked_again_at = 0.0
        self._probing = False
        self._owed: dict[str, int] = {}
        """Scopes with the number of the last commit that touched them."""
        self._commits = 0
        self._delivery: asyncio.Task[None] | None = None

    async def read(self, scope: str, key: str) -> Held:
        """Return the scope's token, and what is kept under it."""
        if scope in self._owed:
            raise CacheUnavailable("what it keeps is out of date")
        held = await self._asked(lambda: self._cache.read(scope, key))
        if scope in self._owed:  # since the question was sent
            raise CacheUnavailable("what it keeps is out of date")
        return held

    async def keep(
        self, scope: str, key: str, value: bytes, *, token: bytes, life_s: float
    ) -> None:
        """Keep the value for `life_s` under the token that was read before it was."""
        await self._asked(lambda: self._cache.keep(scope, key, value, token=token, life_s=life_s))

    async def invalidate(self, *scopes: str) -> None:
        """Have everything that is kept in these scopes count no more; never raises."""
        self._commits += 1
        owed = dict.fromkeys(scopes, self._commits)
        self._owed.update(owed)
        try:
            await self._forget(owed)
        except CacheUnavailable:
            if self._delivery is None or self._delivery.done():
                self._delivery = asyncio.create_task(self._deliver())

    async def close(self) -> None:
        """End deliveries and give connections back."""
        if self._delivery is not None:
            self._delivery.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._delivery
        await self._cache.close()

    async def _deliver(self) -> None:
        while self._owed:
            await asyncio.sleep(self._rest_s or self._first_rest_s)
            with contextlib.suppress(CacheUnavailable):
                await self._forget(dict(self._owed))

    async def _forget(self, owed: Mapping[str, int]) -> None:
        await self._asked(lambda: self._cache.invalidate(*owed))
        for scope, commit in owed.items():
            # What was committed while the cache was told is not covered by it.
            if self._owed.get(scope) == commit:
                del self._owed[scope]

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask unless the cache rests or is being probed."""
        probe = self._rest_s > 0
        if probe and (self._probing or self._clock() < self._asked_again_at):
            raise CacheUnavailable("it failed a moment ago")
        self._probing = probe
        try:
            answer = await ask()
        except CacheUnavailable as error:
            # Of many that fail at once, only the first one counts.
            if probe or not self._rest_s:
                self._rest(error)
            raise
        finally:
            if probe:
                self._probing = False
        if self._rest_s:
            _log.info("the registry's cache is back")
        self._rest_s = 0.0
        return answer

    def _rest(self, error: CacheUnavailable) -> None:
        if not self._rest_s:
            _log.warning("the registry's cache is away, the database is asked: %s", error)
        self._rest_s = min(max(self._first_rest_s, 2 * self._rest_s), self._longest_rest_s)
        self._asked_again_at = self._clock() + self._rest_s
