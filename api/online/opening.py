"""Open what answers online requests."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from api.online.asking import Asking
from api.online.engine import Engine
from api.online.resolver import Resolver
from api.online.settings import OnlineSettings
from api.online.shadows import Shadows
from api.online.whereabouts import Whereabouts
from inference.open_pools import OpenPools
from registry.domain import ModelVersion
from registry.opening import Registry
from telemetry.online import OnlineMetrics


@asynccontextmanager
async def open_engine(
    registry: Registry, pools: OpenPools, metrics: OnlineMetrics, settings: OnlineSettings
) -> AsyncIterator[Engine]:
    """Open everything for the length of the block."""

    def listed() -> Iterable[ModelVersion]:
        catalog = registry.catalog
        return [
            version
            for model in catalog.models().items
            for version in catalog.versions(model.name).items
        ]

    async def models() -> Iterable[ModelVersion]:
        return await asyncio.to_thread(listed)

    whereabouts = Whereabouts(pools, look_again_s=settings.look_again_s)
    shadows = Shadows(
        metrics,
        whereabouts,
        most=settings.shadow_most,
        max_bytes=settings.shadow_max_bytes,
        timeout_s=settings.shadow_timeout_s,
    )
    asking = Asking(pools, whereabouts, models, look_again_s=settings.look_again_s)
    resolver = Resolver(registry.cached, whereabouts, default_alias=settings.default_alias)
    async with shadows.running():
        yield Engine(resolver, whereabouts, asking, shadows, metrics, settings)
