"""Keep this process's pools as the registry lists them, loaded with what they shall serve."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from anyio.to_thread import run_sync

from inference.open_pools import OpenPools
from inference.repositories import Outcome, load_everywhere
from inference.server import Server
from registry.conflicts import AlreadyExists
from registry.errors import RegistryError, RegistryUnavailable, UnknownPool
from registry.fleet import Fleet
from registry.pools import Placement, ServerState
from registry.reading import CatalogReader

_log = logging.getLogger(__name__)

SETTINGS_POOL = "default"
"""The pool of the servers that the settings name."""
_DESCRIPTION = "The servers that NIGHTSHIFT_TRITON_URLS names"
_SETTINGS = "settings"
"""Who registered them."""
_REST_S = 60.0
"""Time between tries to load what a server failed to load: long against what a try costs it."""


class Upkeep:
    """Looks at the registry from time to time, because other processes change it as well.

    A registry that is away changes nothing: the pools stay as they were last seen.
    """

    def __init__(
        self,
        fleet: Fleet,
        catalog: CatalogReader,
        pools: OpenPools,
        *,
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fleet = fleet
        self._catalog = catalog
        self._pools = pools
        self._interval_s = interval_s
        self._clock = clock
        self._rests: dict[tuple[str, Placement], float] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open the pools, then look again and again for the length of the block."""
        await self.refresh()
        looks = (self.refresh, self.load_missing)
        tasks = [asyncio.create_task(self._run(look), name="pools-upkeep") for look in looks]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def refresh(self) -> None:
        """Open the pools that are registered with their active servers, close the others."""
        await self._pools.sync(await run_sync(self._members))

    async def load_missing(self) -> None:
        """Have each server load what its pool shall serve and it does not."""
        for placement in await run_sync(self._fleet.placements):
            pool = self._pools.pool(placement.pool)
            if pool is not None:
                await self._load_placement(placement, pool.servers)

    async def _load_placement(self, placement: Placement, servers: Sequence[Server]) -> None:
        try:
            version = await run_sync(self._catalog.version, placement.model, placement.version)
        except RegistryError:
            return
        name, number, now = version.served_name, version.served_version, self._clock()
        due = [each for each in servers if self._rests.get((each.url, placement), now) <= now]
        lacking = [
            each for each in due if await each.live() and not await each.model_ready(name, number)
        ]
        for outcome in await load_everywhere(lacking, name, number):
            self._note(outcome, placement)

    def _note(self, outcome: Outcome, placement: Placement) -> None:
        told = {"server": outcome.server, "version": f"{placement.model}@{placement.version}"}
        if outcome.error is None:
            self._rests.pop((outcome.server, placement), None)
            _log.info("a version was loaded again", extra={"fields": told})
            return
        self._rests[outcome.server, placement] = self._clock() + _REST_S
        told["cause"] = str(outcome.error)
        _log.warning("a version could not be loaded", extra={"fields": told})

    async def _run(self, look: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await look()
            except RegistryUnavailable as error:
                _log.warning("the registry cannot be read", extra={"fields": {"cause": str(error)}})

    def _members(self) -> dict[str, list[str]]:
        members: dict[str, list[str]] = {}
        for pool in self._fleet.pools().items:
            try:
                servers = self._fleet.servers(pool.name).items
            except UnknownPool:  # deleted since the list was read
                continue
            members[pool.name] = [s.url for s in servers if s.state is ServerState.ACTIVE]
        return members


def register_settings(fleet: Fleet, urls: Sequence[str]) -> None:
    """Make the servers that the settings name those of the pool `default`.

    Servers of earlier settings are removed; those that somebody registered stay. Raises
    `RegistryConflict` when another pool has one of them.
    """
    addresses = [url.removeprefix("grpc://") for url in urls]
    with suppress(AlreadyExists):
        fleet.create_pool(SETTINGS_POOL, description=_DESCRIPTION, by=_SETTINGS)
    for server in fleet.servers(SETTINGS_POOL).items:
        if server.added_by == _SETTINGS and server.url not in addresses:
            fleet.retire_server(SETTINGS_POOL, server.url, ServerState.REMOVED, by=_SETTINGS)
    for url in addresses:
        fleet.add_server(SETTINGS_POOL, url, by=_SETTINGS)
