"""The fleet: pools whose servers come and go."""

import asyncio

import numpy as np

from inference.breaker import State
from inference.fleet import Fleet
from inference.server import Server
from inference.settings import InferenceSettings
from inference.tensors import InferRequest
from tests.inference.scripted import ScriptedServer
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
    async with Fleet(QUICK, connect=farm) as fleet:
        await fleet.sync({"gpu": ["a:1", "b:1"], "cpu": ["c:1"], "empty": []})
        gpu, cpu = fleet.pool("gpu"), fleet.pool("cpu")
        assert gpu is not None
        assert fleet.pool("empty") is None
        assert [server.url for server in fleet.servers()] == ["a:1", "b:1", "c:1"]
        await fleet.sync({"gpu": ["a:1", "b:1"]})
        assert fleet.pool("gpu") is gpu
        assert fleet.pool("cpu") is None
        assert cpu is not None
        assert farm.made["c:1"][0].closed
        assert fleet.server("c:1") is None
        assert fleet.health("c:1") is None
    assert all(server.closed for made in farm.made.values() for server in made)


async def test_what_is_under_way_is_finished() -> None:
    """A server that is taken out answers what it has, and is seen until then."""
    farm = Farm()
    async with Fleet(QUICK, connect=farm) as fleet:
        await fleet.sync({"gpu": ["a:1"]})
        (old,) = farm.made["a:1"]
        old.delay_s = 0.1
        pool = fleet.pool("gpu")
        assert pool is not None
        asked = asyncio.create_task(pool.infer(request()))
        await asyncio.sleep(0.02)
        await fleet.sync({"gpu": ["b:1"]})
        health = fleet.health("a:1")
        assert health is not None
        assert health.outstanding == 1
        assert fleet.server("a:1") is old
        assert (await asked).server == "a:1"
        await fleet.sync({"gpu": ["b:1"]})
        assert old.closed
        assert fleet.health("a:1") is None


async def test_a_server_that_stays_away_is_seen() -> None:
    """Nobody sends requests: the probes open its breaker."""
    farm = Farm()
    settings = QUICK.model_copy(update={"breaker_open_s": 60.0})
    async with Fleet(settings, connect=farm) as fleet:
        await fleet.sync({"gpu": ["a:1", "b:1"]})
        farm.made["a:1"][0].away = True
        async with asyncio.timeout(5):
            while _state(fleet, "a:1") is not State.OPEN:
                await asyncio.sleep(0.01)
        assert _state(fleet, "b:1") is State.CLOSED


def _state(fleet: Fleet, url: str) -> State:
    health = fleet.health(url)
    assert health is not None
    return health.breaker
