"""Open pools: their servers come and go."""

import asyncio

import numpy as np

from inference.breaker import State
from inference.open_pools import OpenPools
from inference.server import Server
from inference.settings import InferenceSettings
from inference.tensors import InferRequest
from tests.inference.scripted import ScriptedServer, until
from tests.inference.test_pool import QUICK


class Farm:
    """Scripted servers by address, as they are asked for."""

    def __init__(self) -> None:
        self.made: dict[str, list[ScriptedServer]] = {}

    def __call__(self, url: str, _: InferenceSettings) -> Server:
        server = ScriptedServer(url)
        self.made.setdefault(url, []).append(server)
        return server


def request() -> InferRequest:
    """Return one row."""
    return InferRequest("faulty", "1", {"x": np.ones((1, 1), np.float32)}, ("y",), 1)


async def test_it_has_the_pools_that_are_wanted() -> None:
    """What is as wanted stays as it is; at the end every server is closed."""
    farm = Farm()
    async with OpenPools(QUICK, connect=farm) as pools:
        await pools.sync({"gpu": ["a:1", "b:1"], "cpu": ["c:1"], "empty": []})
        gpu, cpu = pools.pool("gpu"), pools.pool("cpu")
        assert gpu is not None
        assert pools.pool("empty") is None
        assert [server.url for server in pools.servers()] == ["a:1", "b:1", "c:1"]
        await pools.sync({"gpu": ["a:1", "b:1"]})
        assert pools.pool("gpu") is gpu
        assert pools.pool("cpu") is None
        assert cpu is not None
        assert farm.made["c:1"][0].closed
        assert pools.server("c:1") is None
        assert pools.health("c:1") is None
    assert all(server.closed for made in farm.made.values() for server in made)


async def test_what_is_under_way_is_finished() -> None:
    """A server that is taken out answers what it has, and is seen until then."""
    farm = Farm()
    async with OpenPools(QUICK, connect=farm) as pools:
        await pools.sync({"gpu": ["a:1"]})
        (old,) = farm.made["a:1"]
        old.gate = asyncio.Event()
        pool = pools.pool("gpu")
        assert pool is not None
        asked = asyncio.create_task(pool.infer(request()))
        await until(lambda: old.running == 1)
        await pools.sync({"gpu": ["b:1"]})
        health = pools.health("a:1")
        assert health is not None
        assert health.outstanding == 1
        assert pools.server("a:1") is old
        old.gate.set()
        assert (await asked).server == "a:1"
        await pools.sync({"gpu": ["b:1"]})
        assert old.closed
        assert pools.health("a:1") is None


async def test_a_server_that_stays_away_is_seen() -> None:
    """Nobody sends requests: the probes open its breaker."""
    farm = Farm()
    settings = QUICK.model_copy(update={"breaker_open_s": 60.0})
    async with OpenPools(settings, connect=farm) as pools:
        await pools.sync({"gpu": ["a:1", "b:1"]})
        farm.made["a:1"][0].away = True
        await until(lambda: _state(pools, "a:1") is State.OPEN)
        assert _state(pools, "b:1") is State.CLOSED


async def test_what_is_known_of_a_server_outlives_a_change_of_its_pool() -> None:
    """Its breaker, its window, and what the pool before it still has in flight there."""
    farm = Farm()
    settings = QUICK.model_copy(update={"breaker_open_s": 600.0, "window_initial": 2})
    async with OpenPools(settings, connect=farm) as pools:
        await pools.sync({"gpu": ["a:1", "b:1"]})
        farm.made["a:1"][0].away = True
        await until(lambda: _state(pools, "a:1") is State.OPEN)
        farm.made["b:1"][0].gate = gate = asyncio.Event()
        old = pools.pool("gpu")
        assert old is not None
        asked = [asyncio.create_task(old.infer(request())) for _ in range(2)]
        await until(lambda: farm.made["b:1"][0].running == 2)
        await pools.sync({"gpu": ["b:1", "c:1", "a:1"]})
        new = pools.pool("gpu")
        assert new is not None
        known = {each.url: (each.breaker, each.outstanding) for each in new.health().servers}
        assert known == {
            "a:1": (State.OPEN, 0),
            "b:1": (State.CLOSED, 2),
            "c:1": (State.CLOSED, 0),
        }
        gate.set()
        await asyncio.gather(*asked)
        assert {each.outstanding for each in new.health().servers} == {0}
        assert (await new.infer(request())).server in ("b:1", "c:1")


async def test_who_waits_in_the_old_pool_gets_places_first() -> None:
    """One window for both: an answer to either lets those go on who came first."""
    farm = Farm()
    settings = QUICK.model_copy(update={"window_initial": 1, "window_max": 1})
    async with OpenPools(settings, connect=farm) as pools:
        await pools.sync({"gpu": ["a:1"]})
        first = farm.made["a:1"][0]
        first.gate = asyncio.Event()
        old = pools.pool("gpu")
        assert old is not None
        early = [asyncio.create_task(old.infer(request())) for _ in range(2)]
        await until(lambda: old.health().waiting == 1)
        await pools.sync({"gpu": ["a:1", "b:1"]})
        new = pools.pool("gpu")
        assert new is not None
        farm.made["b:1"][0].gate = asyncio.Event()
        late = [asyncio.create_task(new.infer(request())) for _ in range(2)]
        await until(lambda: new.health().waiting == 1)
        first.gate.set()
        await asyncio.gather(*early)
        answer = await asyncio.wait(late, return_when=asyncio.FIRST_COMPLETED)
        assert {task.result().server for task in answer[0]} == {"a:1"}
        farm.made["b:1"][0].gate.set()
        await asyncio.gather(*late)


def _state(pools: OpenPools, url: str) -> State:
    health = pools.health(url)
    assert health is not None
    return health.breaker


async def test_what_was_counted_outlives_a_change_of_the_pool() -> None:
    """A counter that fell would be taken for a new process."""
    farm = Farm()
    async with OpenPools(QUICK, connect=farm) as pools:
        for turn, members in enumerate((["a:1"], ["b:1"], ["b:1", "c:1"]), start=1):
            await pools.sync({"gpu": members})
            pool = pools.pool("gpu")
            assert pool is not None
            await pool.infer(request())
            (state,) = pools.states()
            assert (state.pool, state.counts["requests"], state.waiting) == ("gpu", turn, 0)
            assert [each.server for each in state.servers] == members
            assert {each.breaker for each in state.servers} == {"closed"}
