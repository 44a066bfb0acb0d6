"""Find the pools that serve a version."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from api.online.joined import Joined
from inference.open_pools import OpenPools
from inference.pool import Pool
from registry.targets import Placed

_REMEMBERED = 1000
"""Names that are remembered at a time: whoever types others forgets the oldest."""
_ABSENT_S = 1.0
"""How long it is believed that nobody serves a name."""


@dataclass(frozen=True, slots=True)
class Place:
    """What servers are asked for."""

    served: str
    """The name by which they serve the model."""
    version: str
    """The version directory; empty for their newest."""
    pools: tuple[str, ...] = ()
    """Pools in which it is placed, by name; empty when nobody has said so."""

    @classmethod
    def of(cls, placed: Placed) -> "Place":
        """Return where a registered version is served."""
        return cls(placed.version.served_name, placed.version.served_version, placed.pools)


class Whereabouts:
    """Pools by what they serve; what nobody placed is asked for, and remembered a while."""

    def __init__(
        self,
        pools: OpenPools,
        *,
        look_again_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pools = pools
        self._look_again_s = look_again_s
        self._clock = clock
        self._joined = Joined[tuple[str, ...]]()
        self._seen: OrderedDict[tuple[str, str], tuple[float, tuple[str, ...]]] = OrderedDict()

    async def find(self, place: Place) -> tuple[Pool, ...]:
        """Return the pools that serve the version, the least loaded first.

        Those in which it is placed; for a version that is placed nowhere, those that have it
        ready now, or the only one there is.
        """
        names = place.pools or self._pools.names()
        if not place.pools and len(names) > 1:
            names = await self.serving(place.served, place.version) or names
        found = [pool for name in names if (pool := self._pools.pool(name)) is not None]
        return tuple(sorted(found, key=Pool.load))

    async def serving(self, served: str, version: str) -> tuple[str, ...]:
        """Return the names of pools with a server that has the version ready."""
        until, names = self._seen.get((served, version), (0.0, ()))
        if until > self._clock():
            return names
        return await self._joined.ask((served, version), lambda: self._look(served, version))

    async def _look(self, served: str, version: str) -> tuple[str, ...]:
        every = self._pools.names()
        ready = await asyncio.gather(*(self._serves(each, served, version) for each in every))
        names = tuple(name for name, is_ready in zip(every, ready, strict=True) if is_ready)
        life_s = self._look_again_s if names else min(_ABSENT_S, self._look_again_s)
        self._seen[served, version] = (self._clock() + life_s, names)
        self._seen.move_to_end((served, version))
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return names

    async def _serves(self, name: str, served: str, version: str) -> bool:
        """Ask the servers themselves: the pool would keep a note on every name that is typed."""
        pool = self._pools.pool(name)
        if pool is None:
            return False
        asked = [
            asyncio.ensure_future(server.model_ready(served, version)) for server in pool.servers
        ]
        try:
            for answer in asyncio.as_completed(asked):
                if await answer:
                    return True
            return False
        finally:
            for each in asked:
                each.cancel()
