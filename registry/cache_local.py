"""Keep answers in this process's memory: the twin of `registry.cache_redis`."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from registry.cache import Held

K = TypeVar("K")
V = TypeVar("V")


class LocalCache:
    """A cache for one process; see `registry.cache.Cache`. Used by one event loop only."""

    def __init__(self, *, max_entries: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep `max_entries` values and as many tokens; those not read for longest go first."""
        self._max_entries = max_entries
        self._clock = clock
        self._tokens: OrderedDict[str, bytes] = OrderedDict()
        self._values: OrderedDict[tuple[str, str], tuple[bytes, float, bytes]] = OrderedDict()

    async def read(self, scope: str, key: str) -> Held:
        """Return the scope's token, and what is kept under it."""
        token = self._tokens.get(scope)
        if token is None:
            token = secrets.token_hex(8).encode()
            self._tokens[scope] = token
            _shrink(self._tokens, self._max_entries)
            return Held(token, None)
        self._tokens.move_to_end(scope)
        found = self._values.get((scope, key))
        if found is None:
            return Held(token, None)
        under, until, value = found
        if under != token or until <= self._clock():
            del self._values[scope, key]
            return Held(token, None)
        self._values.move_to_end((scope, key))
        return Held(token, value)

    async def keep(
        self, scope: str, key: str, value: bytes, *, token: bytes, life_s: float
    ) -> None:
        """Keep the value for `life_s` under the token that was read before it was."""
        self._values[scope, key] = (token, self._clock() + life_s, value)
        self._values.move_to_end((scope, key))
        _shrink(self._values, self._max_entries)

    async def invalidate(self, *scopes: str) -> None:
        """Have everything that is kept in these scopes count no more."""
        for scope in scopes:
            self._tokens.pop(scope, None)

    async def close(self) -> None:
        """Nothing is held."""


def _shrink(entries: OrderedDict[K, V], most: int) -> None:
    while len(entries) > most:
        entries.popitem(last=False)
