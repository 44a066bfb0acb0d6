"""Pools of real Tritons of which one is up but fails at its model, or lets requests queue."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cli.stack.triton import LocalTriton
from inference import errors
from inference.breaker import State
from inference.microbatch import infer_rows
from inference.pool import Pool, open_pool
from inference.proof import Proof
from inference.server import Server
from inference.settings import InferenceSettings
from inference.tensors import InferRequest
from tests.conftest import MODELS
from tests.flows.workplace import held

INTERNAL, UNKNOWN = 1.0, 100.0
"""Numbers at which the broken model fails with one code and with the other."""
KERNEL_FAILS = -2.0
BROKEN_MODEL = '''
"""Fail at everything, with the signature of `faulty`."""

import triton_python_backend_utils as pb


class TritonPythonModel:
    """Raise, which is INTERNAL, or answer UNKNOWN from 100 on."""

    def execute(self, requests):
        """Fail at all requests in the way that the first one asks for."""
        x = pb.get_input_tensor_by_name(requests[0], "x").as_numpy()
        if x.max() < 100:
            raise RuntimeError("the weights are damaged")
        error = pb.TritonError("the driver is gone", pb.TritonError.UNKNOWN)
        return [pb.InferenceResponse([], error) for _ in requests]
'''


@pytest.fixture(scope="module")
def good(triton_env: Path, servers_dir: Path) -> Iterator[LocalTriton]:
    """A server whose models are as they should be."""
    names = ["faulty", "impatient"]
    with LocalTriton(MODELS, triton_env, models=names, state_dir=servers_dir) as server:
        yield server


@pytest.fixture(scope="module")
def broken(
    triton_env: Path, servers_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalTriton]:
    """A server that says ready and fails at every request for `faulty`; `impatient` is well."""
    models = tmp_path_factory.mktemp("broken")
    names = ["faulty", "impatient"]
    for name in names:
        shutil.copytree(MODELS / name, models / name, ignore=shutil.ignore_patterns("__pycache__"))
    (models / "faulty" / "1" / "model.py").write_text(BROKEN_MODEL)
    with LocalTriton(models, triton_env, models=names, state_dir=servers_dir) as server:
        yield server


def pool_of(*tritons: LocalTriton) -> Pool:
    """Return a pool that does not ask an opened server again within a test."""
    urls = tuple(each.grpc_url for each in tritons)
    return open_pool(InferenceSettings(triton_urls=urls, breaker_open_s=60.0))


def numbers(*values: float) -> InferRequest:
    """Return rows for `faulty`."""
    x = np.array(values, dtype=np.float32).reshape(-1, 1)
    return InferRequest("faulty", "1", {"x": x}, ("y",), len(values))


def sleeps(seconds: float) -> InferRequest:
    """Return a request that keeps `impatient` busy."""
    x = np.full((1, 1), seconds, np.float32)
    return InferRequest("impatient", "1", {"seconds": x}, (), 1)


async def keep_busy(server: Server, seconds: float) -> None:
    """Give the server a request that sleeps so long, or is held, until it takes it."""
    while True:
        try:
            await server.infer(sleeps(seconds), timeout_s=60)
            return
        except errors.ServerOverloaded:
            continue


async def begun(server: Server) -> None:
    """Wait until the server works on a request: it refuses another one."""
    while True:
        try:
            await server.infer(sleeps(0.0), timeout_s=60)
        except errors.ServerOverloaded:
            return


def breakers(pool: Pool) -> list[State]:
    """Return the states in the pool's order."""
    return [server.breaker for server in pool.health().servers]


@pytest.mark.parametrize("number", [INTERNAL, UNKNOWN])
@pytest.mark.parametrize("place", [0, 1])
async def test_a_broken_servers_faults_are_answered_elsewhere_and_blamed_on_it(
    good: LocalTriton, broken: LocalTriton, place: int, number: float
) -> None:
    """Asked first five times, it is ready each time, then left alone; no request is lost."""
    tritons = [good]
    tritons.insert(place, broken)
    async with pool_of(*tritons) as pool:
        code = "INTERNAL" if number == INTERNAL else "UNKNOWN"
        with pytest.raises(errors.ServerFault, match=rf"\({code}\)$"):
            await pool.servers[place].infer(numbers(number), timeout_s=60)
        for more in range(12):
            answer = await pool.infer(numbers(number + more))
            assert answer.outputs["y"].tolist() == [[2 * (number + more)]]
        health = pool.health()
        assert (health.failures, health.retries, health.overloads) == (5, 5, 0)
        assert breakers(pool)[place] is State.OPEN
        assert breakers(pool)[1 - place] is State.CLOSED
        assert [server.not_ready for server in health.servers] == [(), ()]
        assert await pool.servers[place].model_ready("faulty", "1")


@pytest.mark.parametrize("number", [INTERNAL, UNKNOWN])
async def test_with_only_a_broken_server_no_row_is_blamed(
    broken: LocalTriton, number: float
) -> None:
    """The fault itself is raised; as nobody answered, the server is not blamed either."""
    async with pool_of(broken) as pool:
        signature = await pool.signature("faulty", "1")
        with pytest.raises(errors.ServerFault):
            await infer_rows(
                pool,
                numbers(*(number + more for more in range(4))),
                signature=signature,
                max_rejected=None,
                allow_non_finite=False,
                proof=Proof(),
            )
        assert breakers(pool) == [State.CLOSED]


async def test_a_row_that_breaks_every_server_is_found_by_halving(
    good: LocalTriton, broken: LocalTriton
) -> None:
    """Beside a broken server too: the other rows are scored, the good server stays in use."""
    async with pool_of(broken, good) as pool:
        signature = await pool.signature("faulty", "1")
        answer = await infer_rows(
            pool,
            numbers(1, 2, KERNEL_FAILS, 4),
            signature=signature,
            max_rejected=1,
            allow_non_finite=False,
            proof=Proof(),
        )
        assert answer.accepted.tolist() == [True, True, False, True]
        assert answer.outputs["y"].ravel().tolist() == [2, 4, 8]
        assert answer.rejected[0].reason == "the model failed on the row"
        assert breakers(pool)[1] is State.CLOSED


async def test_requests_that_time_out_in_a_queue_pass_later(good: LocalTriton) -> None:
    """Each waits 100 ms at most in the only server's queue; overload is no failure."""
    async with pool_of(good) as pool:
        await asyncio.gather(*(pool.infer(sleeps(0.15)) for _ in range(8)))
        health = pool.health()
        assert health.overloads > 0
        assert (health.failures, health.retries) == (0, 0)
        assert breakers(pool) == [State.CLOSED]


async def test_requests_that_time_out_in_one_servers_queue_pass_on_another(
    good: LocalTriton, broken: LocalTriton
) -> None:
    """One is kept busy from elsewhere: what it refuses is answered before it is free again."""
    async with pool_of(good, broken) as pool:
        with held() as number:
            busy = asyncio.create_task(keep_busy(pool.servers[0], number))
            await begun(pool.servers[0])
            answers = await asyncio.gather(*(pool.infer(sleeps(0.01)) for _ in range(2)))
            assert not busy.done()
        assert {answer.server for answer in answers} == {pool.servers[1].url}
        health = pool.health()
        assert health.overloads > 0
        assert (health.failures, health.retries) == (0, 0)
        assert breakers(pool) == [State.CLOSED, State.CLOSED]
        await busy
