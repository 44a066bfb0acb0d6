"""Keep open the pools that one process uses, whose servers come and go."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from inference.health import ServerHealth
from inference.pool import Pool
from inference.server import Server
from inference.settings import InferenceSettings
from inference.triton import TritonServer
from telemetry.pools import PoolState, ServerState


class OpenPools:
    """Pools by name; an async context manager for one event loop.

    A pool whose servers change is replaced by a new one, and closed when its last request has
    ended: nothing that is under way is cut off. What is known of the servers that stay, their
    breakers, windows and latencies, the new one shares.
    """

    def __init__(
        self,
        settings: InferenceSettings,
        *,
        connect: Callable[[str, InferenceSettings], Server] | None = None,
    ) -> None:
        self._settings = settings
        self._connect = connect or _triton
        self._pools: dict[str, Pool] = {}
        self._retired: list[tuple[str, Pool]] = []
        self._ended: dict[str, Counter[str]] = {}
        self._changing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        async with AsyncExitStack() as closing:
            for pool in self._all():
                closing.push_async_exit(pool)
        self._pools.clear()
        self._retired.clear()

    async def sync(self, wanted: Mapping[str, Sequence[str]]) -> None:
        """Have exactly these pools, each with these servers, by address.

        Safe to repeat: what is as wanted stays as it is. A pool without servers is not kept.
        """
        async with self._changing:
            for name in dict.fromkeys((*self._pools, *wanted)):
                await self._have(name, tuple(wanted.get(name, ())))
            await self._close_idle()

    def connect(self, url: str) -> Server:
        """Return a connection to any server, which the caller closes."""
        return self._connect(url, self._settings)

    def pool(self, name: str) -> Pool | None:
        """Return the pool; None when it has no server."""
        return self._pools.get(name)

    def names(self) -> tuple[str, ...]:
        """Return the names of the pools that have a server."""
        return tuple(self._pools)

    def servers(self) -> tuple[Server, ...]:
        """Return the servers of every pool."""
        return tuple(server for pool in self._pools.values() for server in pool.servers)

    def server(self, url: str) -> Server | None:
        """Return the connection to a server that is asked or finishes what it has."""
        for pool in self._all():
            for server in pool.servers:
                if server.url == url:
                    return server
        return None

    def health(self, url: str) -> ServerHealth | None:
        """Return how a server is; None for one that is in no pool and has nothing to finish."""
        for pool in self._all():
            for server in pool.health().servers:
                if server.url == url:
                    return server
        return None

    def states(self) -> list[PoolState]:
        """Return how the pools are, with what was ever counted under each name."""
        counts = {name: Counter(ended) for name, ended in self._ended.items()}
        for name, pool in (*self._pools.items(), *self._retired):
            counts.setdefault(name, Counter()).update(pool.health().counts())
        return [
            PoolState(name, counts[name], health.waiting, tuple(map(_state, health.servers)))
            for name, pool in self._pools.items()
            for health in [pool.health()]
        ]

    async def _have(self, name: str, urls: tuple[str, ...]) -> None:
        present = self._pools.get(name)
        if urls == (tuple(server.url for server in present.servers) if present else ()):
            return
        if present is not None:
            # What waits in it for a place must not get one there.
            present.leave({server.url for server in present.servers} - set(urls))
            self._retired.append((name, self._pools.pop(name)))
        if urls:
            connections = [self.connect(url) for url in urls]
            pool = Pool(connections, self._settings, before=present)
            pool.watch_servers()
            self._pools[name] = await pool.__aenter__()

    async def _close_idle(self) -> None:
        for name, pool in [each for each in self._retired if not each[1].busy]:
            self._retired.remove((name, pool))
            self._ended.setdefault(name, Counter()).update(pool.health().counts())
            await pool.__aexit__(None, None, None)

    def _all(self) -> Iterator[Pool]:
        yield from self._pools.values()
        yield from (pool for _, pool in self._retired)


def _state(server: ServerHealth) -> ServerState:
    return ServerState(server.url, server.outstanding, server.breaker.value)


def _triton(url: str, settings: InferenceSettings) -> Server:
    return TritonServer(url, settings=settings)
