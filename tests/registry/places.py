"""Say where a registry and its cache are kept, and how time passes there."""

import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Protocol

import psycopg

from registry.cache import Cache
from registry.cache_local import LocalCache
from registry.cache_redis import RedisCache
from registry.cached import Lives
from registry.generations import Audience
from registry.port import Store
from registry.settings import RegistrySettings
from registry.store import open_store
from tests.contracts.memory_store import MemoryStore

LEASE = 10
"""How long a generation is believed, in units."""
COMMIT = 5
"""How much longer a fence stands."""
UNIT_S = 0.005
"""A unit of Redis' own time."""


class Place(Protocol):
    """A registry that is empty, with its cache; its time is counted in units."""

    lives: Lives
    """How long answers are kept: 50 units, 20 and 5."""

    def open_store(self, audience: Audience) -> Store:
        """Return the rows."""

    def open_cache(self) -> Cache:
        """Return the cache."""

    def pass_time(self, units: int) -> None:
        """Have so much time pass in the cache."""

    def forget(self) -> None:
        """Have the cache lose all that it holds."""


class InMemory:
    """Rows in memory and a cache in this process, whose clock is ours."""

    lives = Lives(50, 20, 5)

    def __init__(self) -> None:
        self._now = 0.0

    def open_store(self, audience: Audience) -> Store:
        """Return new rows."""
        return MemoryStore(audience)

    def open_cache(self) -> Cache:
        """Return a cache with room for every answer, so that none is merely dropped."""
        return LocalCache(
            max_bytes=100_000, lease_s=LEASE, commit_s=COMMIT, clock=lambda: self._now
        )

    def pass_time(self, units: int) -> None:
        """Set the clock on."""
        self._now += units

    def forget(self) -> None:
        """Let everything's time pass."""
        self.pass_time(1000)


def on_sqlite(folder: Path) -> Callable[[], Place]:
    """Return what makes places with a file of SQLite each."""
    numbers = count()

    class OnSqlite(InMemory):
        def open_store(self, audience: Audience) -> Store:
            url = f"sqlite:///{folder / f'{next(numbers)}.db'}"
            return open_store(RegistrySettings(database_url=url), audience)

    return OnSqlite


class OnServers:
    """A PostgreSQL and a Redis, emptied, where time passes by itself."""

    lives = Lives(50 * UNIT_S, 20 * UNIT_S, 5 * UNIT_S)

    def __init__(self, postgres_url: str, redis_url: str, flush: Callable[[], None]) -> None:
        self._settings = RegistrySettings(database_url=postgres_url)
        self._redis_url = redis_url
        self._flush = flush

    def open_store(self, audience: Audience) -> Store:
        """Return the rows, none."""
        with psycopg.connect(self._settings.database_url.replace("+psycopg", "")) as connection:
            connection.execute(
                "TRUNCATE models, pools, events, answers, generations RESTART IDENTITY CASCADE"
            )
        return open_store(self._settings, audience)

    def open_cache(self) -> Cache:
        """Return the cache, empty."""
        self._flush()
        return RedisCache(
            self._redis_url,
            timeout_s=30,
            lease_s=LEASE * UNIT_S,
            commit_s=COMMIT * UNIT_S,
        )

    def pass_time(self, units: int) -> None:
        """Wait."""
        time.sleep(units * UNIT_S)

    def forget(self) -> None:
        """Empty Redis."""
        self._flush()
