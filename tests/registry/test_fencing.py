"""Check that no process believes what another has changed, whatever is cut or killed.

A proxy stands for the network between one process and a real Redis: cut, it swallows.
"""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from cli.stack.redis import LocalRedis
from registry.cache import CacheUnavailable
from registry.cache_local import LocalCache
from registry.cache_redis import RedisCache
from registry.catalog import Catalog
from registry.domain import ModelRef, ModelVersion
from registry.fencing import Fencing
from registry.generations import Advanced, Generation
from registry.opening import Registry, open_registry
from registry.settings import RegistrySettings
from registry.store import open_store
from tests.contracts.test_store import FIRST
from tests.servers.cut_network import Cut

CHAMPION = ModelRef.parse("flights@champion")
LEASE_S = 0.5
PATIENT = {"cache_answer_timeout_s": 60, "cache_lease_s": 600}
"""For who reaches Redis all along: whoever took a busy one for away would wait for the lease."""

KILLED = """
import asyncio, os, signal, sys
from registry.cache_redis import RedisCache
from registry.catalog import Catalog
from registry.fencing import Fencing
from registry.settings import RegistrySettings
from registry.store import open_store

class Killed(Fencing):
    def after(self, advanced):
        os.kill(os.getpid(), signal.SIGKILL)

async def main(database, redis):
    cache = RedisCache(redis, timeout_s=60, lease_s=600, commit_s=1)
    store = open_store(RegistrySettings(database_url=database), Killed(cache, lease_s=600))
    await asyncio.to_thread(Catalog(store).set_alias, "flights", "champion", 2)

asyncio.run(main(*sys.argv[1:]))
"""


@asynccontextmanager
async def opened(url: str, redis: str | None, **settings: Any) -> AsyncIterator[Registry]:
    chosen = {
        "cache_answer_timeout_s": 0.2,
        "cache_rest_s": 0.01,
        "cache_longest_rest_s": 0.02,
        "cache_lease_s": LEASE_S,
    }
    found = RegistrySettings(
        database_url=url,
        redis_url=SecretStr(redis) if redis else None,
        **{**chosen, **settings},
    )
    async with open_registry(found) as registry:
        yield registry


def _register(registry: Registry, number: int) -> ModelVersion:
    return registry.catalog.register(
        "flights",
        signature=FIRST.signature,
        digest=f"sha256:{number:064x}",
        served_name="flights",
        served_version="1",
    )


async def _two_versions(registry: Registry) -> None:
    for number in (1, 2):
        await asyncio.to_thread(_register, registry, number)
    await _move(registry, 1)


async def _move(registry: Registry, number: int) -> None:
    await asyncio.to_thread(registry.catalog.set_alias, "flights", "champion", number)


async def _champion(registry: Registry) -> int:
    return (await registry.cached.resolve(CHAMPION)).version


async def test_a_move_without_redis_is_seen_by_those_who_have_it(
    postgres_url: str, redis_server: LocalRedis, redis_url: str
) -> None:
    """One process alone is cut off: what it acknowledges is in everybody's next answer.

    In its own, which are the database's, and in those of a process that reaches Redis all along.
    """
    async with (
        Cut(redis_server.port).running() as way,
        opened(postgres_url, f"redis://127.0.0.1:{way.port}/0") as alone,
        opened(postgres_url, redis_url) as other,
    ):
        await _two_versions(alone)
        for turn in range(4):
            number = 2 - turn % 2
            if turn % 2 == 0:
                way.cut()
            else:
                way.mend()
            assert [await _champion(other), await _champion(alone)] == [3 - number] * 2
            await _move(alone, number)
            assert [await _champion(other), await _champion(alone)] == [number] * 2


async def test_who_is_cut_off_serves_nothing_of_its_own(
    postgres_url: str, redis_server: LocalRedis, redis_url: str
) -> None:
    """It asks the database for everything, and so sees at once what others change."""
    async with (
        Cut(redis_server.port).running() as way,
        opened(postgres_url, f"redis://127.0.0.1:{way.port}/0", cache_lease_s=600) as alone,
        opened(postgres_url, redis_url, **PATIENT) as other,
    ):
        await _two_versions(other)
        assert await _champion(alone) == 1
        way.cut()
        for number in (2, 1, 2):
            await _move(other, number)
            assert await _champion(alone) == number
        way.mend()
        assert await _champion(alone) == 2


async def test_a_process_killed_after_its_commit_leaves_others_right(
    postgres_url: str, redis_url: str
) -> None:
    """SIGKILL between the commit and what follows it: the next answer is the new one."""
    async with opened(postgres_url, redis_url, **PATIENT) as other:
        await _two_versions(other)
        assert await _champion(other) == 1
        ended = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", KILLED, postgres_url, redis_url],
            timeout=60,
            check=False,
        )
        assert ended.returncode == -signal.SIGKILL
        assert await _champion(other) == 2
        assert (await asyncio.to_thread(other.catalog.resolve, CHAMPION)).version == 2


async def test_a_redis_that_lost_its_memory_is_told_again(
    postgres_url: str, redis_server: LocalRedis, redis_url: str
) -> None:
    """Emptied between fence and commit, and filled with the old answer: no answer is old."""

    class Emptying(Fencing):
        """Has another process fill Redis anew before the commit, which is too short to meet."""

        def before(self, advanced: Advanced) -> None:
            super().before(advanced)
            assert redis_server.ask(b"FLUSHALL") == b"+OK\r\n"
            asyncio.run_coroutine_threadsafe(_filled(), loop).result()

    async def _filled() -> None:
        assert await _champion(other) == 1

    loop = asyncio.get_running_loop()
    async with opened(postgres_url, redis_url, **PATIENT) as other:
        await _two_versions(other)
        cache = RedisCache(redis_url, timeout_s=60, lease_s=600, commit_s=1)
        settings = RegistrySettings(database_url=postgres_url)
        store = await asyncio.to_thread(open_store, settings, Emptying(cache, lease_s=600))
        await asyncio.to_thread(Catalog(store).set_alias, "flights", "champion", 2)
        assert await _champion(other) == 2
        store.close()
        await cache.close()


async def test_without_redis_others_are_believed_for_a_lease(postgres_url: str) -> None:
    """Two processes that share nothing but the database: a change is seen after the lease.

    Whoever changes something sees it at once.
    """
    async with opened(postgres_url, None) as one, opened(postgres_url, None) as other:
        await _two_versions(one)
        assert await _champion(other) == 1
        await _move(one, 2)
        assert await _champion(one) == 2
        await asyncio.sleep(LEASE_S)
        assert await _champion(other) == 2


class Unreachable(LocalCache):
    """A cache that the network is cut to at each moment that a test chooses."""

    def __init__(self) -> None:
        super().__init__(max_bytes=1000, lease_s=3, commit_s=1)
        self.away: list[bool] = []

    async def fence(self, advanced: Advanced) -> None:
        if self.away.pop(0):
            raise CacheUnavailable("cut")
        await super().fence(advanced)


@pytest.mark.parametrize(
    ("away", "waited"),
    [
        ((False, False), []),
        ((True, False), []),
        ((False, True), [3.15]),
        ((True, True), [3.15]),
    ],
)
async def test_a_change_waits_for_the_leases_it_could_not_end(
    away: tuple[bool, bool], waited: list[float]
) -> None:
    """Only where the fence was not put up after the commit, whatever was before it."""
    cache, slept = Unreachable(), list[float]()
    cache.away.extend(away)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    fencing = Fencing(cache, lease_s=3, sleep=sleep)
    advanced = {"m": Generation(1, "0" * 16)}
    await asyncio.to_thread(fencing.before, advanced)
    await asyncio.to_thread(fencing.after, advanced)
    assert slept == pytest.approx(waited)


async def test_a_change_in_the_loops_thread_is_refused() -> None:
    """It would wait for itself; the error says what to do."""
    fencing = Fencing(LocalCache(max_bytes=1, lease_s=1, commit_s=1), lease_s=1)
    with pytest.raises(RuntimeError, match="use to_thread"):
        fencing.before({"m": Generation(1, "0" * 16)})
