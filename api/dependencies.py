"""Open what requests are answered with. The composition root of the API's process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import Depends, Request

from api.checks import Check, PoolLook, RegistryLook
from api.gateway.settings import TrafficSettings
from api.idempotency import Repeats
from api.jobs.desk import Desk, open_desk
from api.online.engine import Engine
from api.online.opening import open_engine
from api.pools.upkeep import Upkeep, register_settings
from api.settings import ApiSettings, Settings
from api.v2.body_turns import BodyTurns
from api.v2.offload import Offload
from inference.open_pools import OpenPools
from registry.cached import CachedCatalog
from registry.catalog import Catalog
from registry.fleet import Fleet
from registry.job_book import Jobs
from registry.opening import open_registry
from registry.routing import Routing
from telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What every request may use."""

    catalog: Catalog
    """Models, versions and aliases, as they are registered."""
    cached: CachedCatalog
    """Answers about models that are mostly known already; awaited."""
    fleet: Fleet
    """Pools and servers, as they are registered."""
    open_pools: OpenPools
    """The pools that are registered, connected to their Triton servers."""
    routing: Routing
    """How the requests of aliases are split, as it is registered."""
    online: Engine
    """What answers online requests, whatever protocol they come by."""
    upkeep: Upkeep
    """What keeps these as those say."""
    desk: Desk
    """What answers requests for jobs."""
    repeats: Repeats
    """How repetitions of creates are recognised."""
    checks: tuple[Check, ...]
    """What the API cannot do without."""
    offload: Offload
    """Where large JSON is read and written."""
    turns: BodyTurns
    """Which large bodies come in."""
    settings: ApiSettings
    """How requests are answered."""
    traffic: TrafficSettings
    """What each may take."""


@asynccontextmanager
async def open_dependencies(settings: Settings, metrics: Metrics) -> AsyncIterator[Dependencies]:
    """Open everything for the length of the block.

    Servers that are away come back by themselves. A registry that cannot be opened is an error
    from the start, `RegistryUnavailable`: its settings are wrong, or its tables cannot be made.
    """
    async with open_registry(settings.registry) as registry:
        catalog, fleet = registry.catalog, registry.fleet
        if "triton_urls" in settings.inference.model_fields_set:
            await run_sync(register_settings, fleet, settings.inference.triton_urls)
        async with OpenPools(settings.inference) as pools:
            metrics.pools.read = pools.states
            upkeep = Upkeep(fleet, catalog, pools, interval_s=settings.api.pools_refresh_s)
            json = Offload(
                large_bytes=settings.api.large_json_bytes, processes=settings.api.json_processes
            )
            engine = open_engine(registry, pools, metrics.online, settings.online)
            stores = settings.stores.opened()
            desk = open_desk(Jobs(registry.store), stores, settings.jobs)
            async with upkeep.running(), json, engine as online, desk as opened_desk:
                yield Dependencies(
                    catalog=catalog,
                    cached=registry.cached,
                    fleet=fleet,
                    open_pools=pools,
                    routing=registry.routing,
                    online=online,
                    upkeep=upkeep,
                    desk=opened_desk,
                    repeats=Repeats(registry.creates),
                    checks=(
                        Check("registry", RegistryLook(registry.store)),
                        Check("triton", PoolLook(pools.servers)),
                    ),
                    offload=json,
                    turns=BodyTurns(
                        max_bytes=settings.api.large_bodies_bytes, wait_s=settings.online.queue_s
                    ),
                    settings=settings.api,
                    traffic=settings.traffic,
                )


def dependencies_of(request: Request) -> Dependencies:
    """Return what every request may use; cheaper than the parameter, for reads that are hot."""
    dependencies = request.app.state.dependencies
    assert isinstance(dependencies, Dependencies)
    return dependencies


async def _of_app(request: Request) -> Dependencies:
    return dependencies_of(request)


Needs = Annotated[Dependencies, Depends(_of_app)]
"""The parameter of a route that uses any of them."""
