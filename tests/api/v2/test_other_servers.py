"""Servers that speak the protocol and lack parts of it: found out before they are asked."""

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cli.stack.process import LOOPBACK, READY_DEADLINE_S, GuardedProcess, free_ports
from cli.stack.triton import LocalTriton
from inference.breaker import State
from inference.capabilities import NEEDED
from inference.errors import ServerUnfit
from inference.pool import Pool
from inference.settings import InferenceSettings
from inference.tensors import InferRequest
from inference.triton import TritonServer
from tests.api.v2.service import Service
from tests.cli.stack.processes import eventually
from tests.inference.scripted import until

pytestmark = pytest.mark.triton

SCRIPT = Path(__file__).parent / "clients" / "mlserver_grpc.py"
PATIENT = InferenceSettings(triton_urls=("unused",), probe_timeout_s=60)
REQUEST = InferRequest("linear", "1", {"features": np.ones((1, 64), np.float32)}, ("score",), 1)


@pytest.fixture(scope="module")
def mlserver(clients_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """MLServer, which says that its model `linear` is ready."""
    (port,) = free_ports(1)
    process = GuardedProcess(
        "MLServer",
        [sys.executable, SCRIPT, str(port), "linear"],
        log=tmp_path_factory.mktemp("mlserver") / "log",
        env={**os.environ, "PYTHONPATH": str(clients_packages)},
        grace_s=5,
    )
    with process:
        process.await_ready(lambda: _listens(port), deadline_s=READY_DEADLINE_S)
        yield f"{LOOPBACK}:{port}"


def _listens(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=60).close()
    except OSError:
        return False
    return True


async def test_it_is_not_asked_where_another_server_is(mlserver: str, triton: LocalTriton) -> None:
    """It says that it is live and has the model; its breaker opens, and nobody notices."""
    settings = PATIENT.model_copy(update={"probe_interval_s": 0.05})
    servers = [TritonServer(url, settings=settings) for url in (mlserver, triton.grpc_url)]
    async with Pool(servers, settings) as pool:
        answers = await asyncio.gather(*(pool.infer(REQUEST) for _ in range(8)))
        assert {answer.server for answer in answers} == {triton.grpc_url}
        pool.watch_servers()
        await until(lambda: pool.health().servers[0].breaker is State.OPEN)


async def test_alone_it_is_told_what_it_lacks(mlserver: str) -> None:
    """Nothing is sent to it, readiness included, and the words say what to do."""
    server = TritonServer(mlserver, settings=PATIENT)
    assert not await server.live()
    assert not await server.model_ready("linear", "1")
    for asked in (server.greet(), server.infer(REQUEST, timeout_s=60)):
        with pytest.raises(ServerUnfit, match="put a Triton server there") as raised:
            await asked
        assert raised.value.lacks == NEEDED
    await server.close()


def test_it_is_not_taken_into_a_pool(mlserver: str, service: Service) -> None:
    """Whoever registers it hears what it lacks."""

    def refused() -> str:
        answer = service.client.post(
            "/v1/pools/default/servers",
            json={"url": mlserver},
            headers={"Idempotency-Key": "mlserver"},
        )
        told = answer.json()
        kind = "urn:nightshift:problem:server-not-believed"
        assert (answer.status_code, told["type"]) == (422, kind)
        return str(told["detail"])

    # On a busy machine it may first seem not to answer at all.
    assert eventually(lambda: f"{mlserver} lacks binary_tensor_data" in refused(), within_s=60)
