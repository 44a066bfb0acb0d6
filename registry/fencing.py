"""Have no process believe what a change of the registry makes out of date."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable

from registry.cache import Cache, CacheUnavailable
from registry.generations import Advanced

_log = logging.getLogger(__name__)

_MARGIN = 1.05
"""How much longer than a lease is waited: clocks run at different rates, by far less."""


class Fencing:
    """The audience that fences a cache; see `registry.generations.Audience`.

    When nobody can be told because the cache cannot be reached, others may still reach it, and
    believe it for a lease: so long the change is not acknowledged.
    """

    def __init__(
        self,
        cache: Cache,
        *,
        lease_s: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Ask the cache in the event loop that runs now."""
        self._cache = cache
        self._lease_s = lease_s
        self._sleep = sleep
        self._loop = asyncio.get_running_loop()
        self._loops_thread = threading.get_ident()

    def before(self, advanced: Advanced) -> None:
        """Put the fence up, so that it is there even if this process ends with the commit."""
        if threading.get_ident() == self._loops_thread:
            raise RuntimeError("the registry was changed in the event loop's thread: use to_thread")
        asyncio.run_coroutine_threadsafe(self._fence(advanced), self._loop).result()

    def after(self, advanced: Advanced) -> None:
        """Put it up again, for a cache that has lost it; without one wait until leases are over."""
        asyncio.run_coroutine_threadsafe(self._fenced_or_over(advanced), self._loop).result()

    async def _fence(self, advanced: Advanced) -> bool:
        try:
            await self._cache.fence(advanced)
        except CacheUnavailable as error:
            _log.debug("not fenced: %s", error)
            return False
        return True

    async def _fenced_or_over(self, advanced: Advanced) -> None:
        if not await self._fence(advanced):
            await self._sleep(self._lease_s * _MARGIN)
