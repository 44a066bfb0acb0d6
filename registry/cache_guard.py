"""Leave a cache alone for a while after it failed."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from registry.cache import Cache, CacheUnavailable, Held
from registry.generations import Advanced, Generation

_log = logging.getLogger(__name__)

T = TypeVar("T")


class GuardedCache:
    """A cache whose failures cost little; see `registry.cache.Cache`.

    After a failure nobody asks for `rest_s`, doubled with each failure up to `longest_rest_s`; then
    one question finds out whether the cache is back. So a cache that hangs costs one timeout in
    each rest, not one for each question.
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

    async def now(self) -> float:
        """Return the moment, on the cache's own clock, in seconds."""
        return await self._asked(self._cache.now)

    async def read(self, scope: str, key: str) -> Held:
        """Return the scope's generation, and what is kept under it."""
        return await self._asked(lambda: self._cache.read(scope, key))

    async def believe(self, scope: str, generation: Generation, *, since: float) -> None:
        """Take this for the present generation until a lease after `since` is over."""
        await self._asked(lambda: self._cache.believe(scope, generation, since=since))

    async def keep(
        self, scope: str, key: str, value: bytes, *, generation: Generation, life_s: float
    ) -> None:
        """Keep the value for `life_s` under the generation that was known before it was read."""
        await self._asked(
            lambda: self._cache.keep(scope, key, value, generation=generation, life_s=life_s)
        )

    async def fence(self, advanced: Advanced) -> None:
        """Believe in no older generation of these scopes than the one given."""
        await self._asked(lambda: self._cache.fence(advanced))

    async def close(self) -> None:
        """Give connections back."""
        await self._cache.close()

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
