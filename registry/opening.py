"""Open the registry with its cache, for a process with an event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from registry.cache import Cache
from registry.cache_aside import CacheAside
from registry.cache_guard import GuardedCache
from registry.cache_local import LocalCache
from registry.cached import CachedCatalog, Lives
from registry.catalog import Catalog
from registry.creates import Creates
from registry.fencing import Fencing
from registry.fleet import Fleet
from registry.routing import Routing
from registry.settings import RegistrySettings
from registry.store import SqlStore, open_store

_COMMIT_S = 30.0
"""How long a fence stands, besides a lease, when the change that it was put up for never comes:
more than a commit takes whose process has sent it. Meanwhile the database is asked."""


@dataclass(frozen=True, slots=True)
class Registry:
    """All that a process does with the registry."""

    store: SqlStore
    """Where the rows are; each change of them fences what the cache kept."""
    catalog: Catalog
    """The rules of models; called in threads."""
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
    cache = _cache(settings)
    try:
        audience = Fencing(cache, lease_s=settings.cache_lease_s)
        store = await asyncio.to_thread(open_store, settings, audience)
        try:
            catalog = Catalog(store)
            lives = Lives(
                settings.cache_version_life_s,
                settings.cache_alias_life_s,
                settings.cache_absent_life_s,
            )
            cached = CachedCatalog(catalog, CacheAside(cache, catalog.generation), lives)
            fleet, routing, creates = Fleet(store), Routing(store), Creates(store)
            yield Registry(store, catalog, fleet, routing, creates, cached)
        finally:
            store.close()
    finally:
        await cache.close()


def _cache(settings: RegistrySettings) -> Cache:
    lease_s = settings.cache_lease_s
    if settings.redis_url is None:
        return LocalCache(max_bytes=settings.cache_bytes, lease_s=lease_s, commit_s=_COMMIT_S)
    # Whoever has no Redis does not wait for its client to be imported.
    from registry.cache_redis import RedisCache

    return GuardedCache(
        RedisCache(
            settings.redis_url.get_secret_value(),
            timeout_s=settings.cache_answer_timeout_s,
            lease_s=lease_s,
            commit_s=_COMMIT_S,
        ),
        rest_s=settings.cache_rest_s,
        longest_rest_s=settings.cache_longest_rest_s,
    )
