"""Open the registry with its cache, for a process with an event loop."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from registry.cache import EVERYTHING, Cache
from registry.cache_aside import CacheAside
from registry.cache_guard import GuardedCache
from registry.cache_local import LocalCache
from registry.cached import CachedCatalog, Lives
from registry.catalog import Catalog
from registry.creates import Creates
from registry.fleet import Fleet
from registry.routing import Routing
from registry.settings import RegistrySettings
from registry.store import SqlStore, open_store


@dataclass(frozen=True, slots=True)
class Registry:
    """All that a process does with the registry."""

    store: SqlStore
    """Where the rows are."""
    catalog: Catalog
    """The rules of models; called in threads, each change invalidates what the cache kept."""
    fleet: Fleet
    """The rules of pools; called in threads as well."""
    routing: Routing
    """The rules of routes; called in threads as well."""
    creates: Creates
    """What can be created, and repeated; called in threads as well."""
    cached: CachedCatalog
    """Answers that are awaited."""


@asynccontextmanager
async def open_registry(settings: RegistrySettings) -> AsyncIterator[Registry]:
    """Open everything for the length of the block.

    Raises `RegistryUnavailable` or `SchemaMismatch`; a Redis that is away is no reason not to
    start.
    """
    store = await asyncio.to_thread(open_store, settings)
    try:
        cache = _cache(settings)
        try:
            changed = _invalidator(cache)
            catalog = Catalog(store, changed=changed)
            lives = Lives(
                settings.cache_version_life_s,
                settings.cache_alias_life_s,
                settings.cache_absent_life_s,
            )
            cached = CachedCatalog(catalog, CacheAside(cache), lives)
            fleet, routing = Fleet(store, changed=changed), Routing(store, changed=changed)
            creates = Creates(store, changed=changed)
            yield Registry(store, catalog, fleet, routing, creates, cached)
        finally:
            await cache.close()
    finally:
        store.close()


def _cache(settings: RegistrySettings) -> Cache:
    if settings.redis_url is None:
        return LocalCache(max_entries=settings.cache_entries)
    # Whoever has no Redis does not wait for its client to be imported.
    from registry.cache_redis import RedisCache

    return GuardedCache(
        RedisCache(
            settings.redis_url.get_secret_value(), timeout_s=settings.cache_answer_timeout_s
        ),
        rest_s=settings.cache_rest_s,
        longest_rest_s=settings.cache_longest_rest_s,
    )


def _invalidator(cache: Cache) -> Callable[[str], None]:
    """Return what is called in a thread after a commit, before it is acknowledged."""
    loop, mine = asyncio.get_running_loop(), threading.get_ident()

    def changed(scope: str) -> None:
        if threading.get_ident() == mine:
            raise RuntimeError("the catalog was changed in the event loop's thread: use to_thread")
        asyncio.run_coroutine_threadsafe(cache.invalidate(scope, EVERYTHING), loop).result()

    return changed
