"""Keep answers in this process's memory: the twin of `registry.cache_redis`."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from registry.cache import Held
from registry.generations import Advanced, Generation


@dataclass(frozen=True, slots=True)
class _Believed:
    """What is known of a scope's generation."""

    number: int
    """No older one counts."""
    generation: Generation | None
    """The present one; None behind a fence."""
    until: float
    """When all of this is forgotten."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A value."""

    generation: Generation
    """What it is kept under."""
    until: float
    """When its life ends."""
    value: bytes
    """The value."""


class LocalCache:
    """A cache for one process; see `registry.cache.Cache`. Used by one event loop only."""

    def __init__(
        self,
        *,
        max_bytes: int,
        lease_s: float,
        commit_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep values of `max_bytes` in all; those not read for longest go first.

        A fence that no new generation ends is forgotten `commit_s`, the longest that a commit
        takes, and a lease after it was put up.
        """
        self._max_bytes = max_bytes
        self._lease_s = lease_s
        self._fence_s = lease_s + commit_s
        self._clock = clock
        self._believed: OrderedDict[str, _Believed] = OrderedDict()
        self._values: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._bytes = 0

    async def now(self) -> float:
        """Return the moment."""
        return self._clock()

    async def read(self, scope: str, key: str) -> Held:
        """Return the scope's generation, and what is kept under it."""
        now = self._clock()
        known = self._known(scope, now)
        if known is None or known.generation is None:
            return Held(None, None)
        found = self._values.get((scope, key))
        if found is None or found.generation != known.generation:
            return Held(known.generation, None)
        if found.until <= now:
            self._drop((scope, key))
            return Held(known.generation, None)
        self._values.move_to_end((scope, key))
        return Held(known.generation, found.value)

    async def believe(self, scope: str, generation: Generation, *, since: float) -> None:
        """Take this for the present generation until a lease after `since` is over."""
        now, until = self._clock(), since + self._lease_s
        known = self._known(scope, now)
        if until <= now or (known is not None and known.number > generation.number):
            return
        self._note(scope, _Believed(generation.number, generation, until), now)

    async def keep(
        self, scope: str, key: str, value: bytes, *, generation: Generation, life_s: float
    ) -> None:
        """Keep the value for `life_s` under the generation that was known before it was read."""
        self._drop((scope, key))
        if _size(scope, key, value) > self._max_bytes:
            return
        self._values[scope, key] = _Kept(generation, self._clock() + life_s, value)
        self._bytes += _size(scope, key, value)
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._values)))

    async def fence(self, advanced: Advanced) -> None:
        """Believe in no older generation of these scopes than the one given."""
        now = self._clock()
        for scope, generation in advanced.items():
            known = self._known(scope, now)
            if known is None or known.number <= generation.number:
                self._note(scope, _Believed(generation.number, None, now + self._fence_s), now)

    async def close(self) -> None:
        """Nothing is held."""

    def _known(self, scope: str, now: float) -> _Believed | None:
        known = self._believed.get(scope)
        return None if known is None or known.until <= now else known

    def _note(self, scope: str, believed: _Believed, now: float) -> None:
        self._believed[scope] = believed
        self._believed.move_to_end(scope)
        # Callers may ask for any name: those that nobody asks for again must not pile up.
        while self._believed[oldest := next(iter(self._believed))].until <= now:
            del self._believed[oldest]

    def _drop(self, place: tuple[str, str]) -> None:
        gone = self._values.pop(place, None)
        if gone is not None:
            self._bytes -= _size(*place, gone.value)


_OVERHEAD_BYTES = 400
"""What an entry takes besides its texts and its value, by `sys.getsizeof` of its objects."""


def _size(scope: str, key: str, value: bytes) -> int:
    return _OVERHEAD_BYTES + len(scope) + len(key) + len(value)
