"""Say what the cached catalog needs of the place where answers are kept for a while."""

from dataclasses import dataclass
from typing import Protocol

from registry.generations import Advanced, Generation


class CacheUnavailable(Exception):
    """The cache cannot be asked; whoever asks goes to the database instead."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the cache says of a key."""

    generation: Generation | None
    """The scope's present generation; None when the database has to be asked for it."""
    value: bytes | None
    """What was kept under this generation, None for a miss."""


class Cache(Protocol):
    """Where answers are kept, each under the generation of its scope, which the database counts.

    A value counts only while the cache believes that its generation is the present one, and that
    is never for longer than a *lease* after the database was last asked. So what is kept may live
    long, and still nobody believes it for longer than a lease after the database has moved on,
    whoever moved it and whatever was lost on the way.

    `fence` ends the belief in older generations at once. It is put up before the commit, which a
    process may not outlive, and again after it, for a cache that lost it in between. A fenced
    scope has no generation until somebody has read a new enough one from the database. A fence
    outlives every lease that was begun before the commit: whoever asked the database by then and
    comes late is not believed.

    Every method raises `CacheUnavailable` within a bounded time. A value that was damaged is a
    miss. Keys are texts; values are bytes that the reader checks once more.
    """

    async def now(self) -> float:
        """Return the moment, on the cache's own clock, in seconds."""

    async def read(self, scope: str, key: str) -> Held:
        """Return the scope's generation, and what is kept under it."""

    async def believe(self, scope: str, generation: Generation, *, since: float) -> None:
        """Take this for the present generation until a lease after `since` is over.

        `since` is the moment, as `now` tells it, before the database was asked: however late this
        comes, it cannot make anybody believe what was out of date by then. An older generation
        than the one that is known is not believed.
        """

    async def keep(
        self, scope: str, key: str, value: bytes, *, generation: Generation, life_s: float
    ) -> None:
        """Keep the value for `life_s` under the generation that was known before it was read."""

    async def fence(self, advanced: Advanced) -> None:
        """Believe in no older generation of these scopes than the one given."""

    async def close(self) -> None:
        """Give connections back."""
