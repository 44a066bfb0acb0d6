"""Redis dies: requests go on."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from benchmarks.online.client import Client
from benchmarks.online.site import running_api
from cli.stack.process import free_ports
from cli.stack.redis import LocalRedis
from cli.stack.triton import LocalTriton
from tests.chaos.online.conftest import Terms, load, register
from tests.chaos.seeds import Chaos

pytestmark = [pytest.mark.triton, pytest.mark.chaos]


@pytest.mark.timeout(600)
async def test_redis_is_killed(tmp_path: Path, whole: list[LocalTriton], chaos: Chaos) -> None:
    """At any moment, and it comes back empty: no request fails."""
    random = chaos.random()
    kills = chaos.count(20, sample=1)
    register(tmp_path)
    (port,) = free_ports(1)
    urls = [server.grpc_url for server in whole]
    redis = LocalRedis(tmp_path, log=tmp_path / "redis.log", port=port)
    with redis, running_api(tmp_path, urls, more={"NIGHTSHIFT_REDIS_URL": redis.url}) as api:
        client = Client(api.port)

        async def kill() -> None:
            for _ in range(kills):
                await asyncio.sleep(random.uniform(0.3, 1))
                os.kill(redis.pid, signal.SIGKILL)
                await asyncio.sleep(random.uniform(0.5, 1))
                await asyncio.to_thread(redis.stop)
                await asyncio.to_thread(redis.start)

        async with asyncio.TaskGroup() as group:
            loading = group.create_task(load(client, 1, Terms.of(chaos), seconds=kills * 3.0))
            group.create_task(kill())
        client.close()
    seen = loading.result()
    chaos.tell(str(seen))
    assert (seen.failed, seen.wrong) == (0, 0), str(seen)
