"""Say what the cached catalog needs of the place where answers are kept for a while."""

from dataclasses import dataclass
from typing import Protocol

EVERYTHING = "*"
"""The scope of answers that any change may touch: lists of models, for example."""


class CacheUnavailable(Exception):
    """The cache cannot be asked; whoever asks goes to the database instead."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the cache says of a key."""

    token: bytes
    """The scope's token now. Obtained before the database is read, it is the fence for what was
    read: see `Cache`."""
    value: bytes | None
    """What was kept under this token, None for a miss."""


class Cache(Protocol):
    """Where answers are kept, in scopes that are invalidated as a whole.

    Each scope has a token, drawn at random whenever it has none. A value is kept under the token
    that was the scope's *before* the database was read, and counts only while the scope has that
    very token. `invalidate`, after a commit, takes the token away: what was read before the commit
    and is kept late can never be seen, however late it comes, and tokens are not used twice, so
    it cannot come back either when the cache forgets tokens by itself.

    Every method raises `CacheUnavailable` within a bounded time. A value that was damaged is a
    miss. Keys are texts; values are bytes that the reader checks once more.
    """

    async def read(self, scope: str, key: str) -> Held:
        """Return the scope's token, and what is kept under it."""

    async def keep(
        self, scope: str, key: str, value: bytes, *, token: bytes, life_s: float
    ) -> None:
        """Keep the value for `life_s` under the token that was read before it was."""

    async def invalidate(self, *scopes: str) -> None:
        """Have everything that is kept in these scopes count no more."""

    async def close(self) -> None:
        """Give connections back."""
