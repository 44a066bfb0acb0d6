"""Models of any pace, with the settings as they ship in simulated time, and on a real server."""

import asyncio
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.settings import ScoringSettings
from inference import errors
from inference.breaker import State
from inference.health import PoolHealth
from inference.microbatch import RowsAnswer, infer_rows
from inference.pool import Pool
from inference.proof import Proof
from inference.settings import InferenceSettings
from inference.tensors import InferRequest
from tests.inference.scripted import DOUBLES, ScriptedServer
from tests.inference.simulated import PacedServer, simulate

PAUSES_S = ScoringSettings().task_retry_delays_s
SETTINGS = InferenceSettings(triton_urls=("unused",))


def numbers(rows: int) -> InferRequest:
    """Return a microbatch of the numbers from 1."""
    x = np.arange(1, rows + 1, dtype=np.float32).reshape(-1, 1)
    return InferRequest("faulty", "1", {"x": x}, ("y",), rows)


async def score(
    servers: Sequence[ScriptedServer],
    microbatches: Sequence[int],
    *,
    at_once: int,
    pauses_s: Sequence[float] = (),
) -> tuple[list[RowsAnswer], PoolHealth]:
    """Score microbatches of so many rows as the shards of a job do, trying again after pauses."""
    proof, room = Proof(), asyncio.Semaphore(at_once)
    clock = asyncio.get_running_loop().time

    async def once(rows: int) -> RowsAnswer:
        return await infer_rows(
            pool,
            numbers(rows),
            signature=DOUBLES.signature,
            max_rejected=0,
            allow_non_finite=False,
            proof=proof,
        )

    async def one(rows: int) -> RowsAnswer:
        for pause_s in pauses_s:
            try:
                return await once(rows)
            except errors.TransientError:
                await asyncio.sleep(pause_s)
        return await once(rows)

    async def in_turn(rows: int) -> RowsAnswer:
        async with room:
            return await one(rows)

    async with Pool(servers, SETTINGS, clock=clock) as pool:
        pool.watch("faulty", "1")
        answers = await asyncio.gather(*map(in_turn, microbatches))
        return list(answers), pool.health()


def in_microbatches(rows: int) -> list[int]:
    """Return the sizes of the microbatches of so many rows."""
    return [32_768] * (rows // 32_768) + [rows % 32_768] * (rows % 32_768 > 0)


def check(sizes: Sequence[int], answers: Sequence[RowsAnswer]) -> None:
    """Look that each row has its score."""
    for size, answer in zip(sizes, answers, strict=True):
        scored = answer.outputs["y"].ravel()
        assert np.array_equal(scored, np.arange(1, size + 1, dtype=np.float32) * 2)


@settings(max_examples=20)
@given(
    row_s=st.floats(-6, -0.4).map(lambda exponent: 10.0**exponent),
    request_s=st.sampled_from([0.0, 0.003, 1.0]),
    work_s=st.floats(1, 2000),
    servers=st.integers(1, 3),
    instances=st.sampled_from([1, 1, 2, 8]),
    shards=st.integers(1, 8),
)
def test_no_answer_of_a_healthy_model_is_late_whatever_its_pace(
    row_s: float, request_s: float, work_s: float, servers: int, instances: int, shards: int
) -> None:
    """From a million rows a second to two, with as much in flight as by default."""
    sizes = in_microbatches(max(1, min(int(work_s / row_s), 32_768 * 40)))
    paced = [
        PacedServer(f"{index}", row_s=row_s, request_s=request_s, instances=instances)
        for index in range(servers)
    ]
    answers, health = simulate(score(paced, sizes, at_once=shards * 4))
    check(sizes, answers)
    assert {server.breaker for server in health.servers} == {State.CLOSED}
    assert (health.failures, health.overloads) == (0, 0)


@settings(max_examples=10)
@given(
    row_s=st.floats(-4, 0).map(lambda exponent: 10.0**exponent),
    slower=st.sampled_from([1.0, 10.0, 30.0]),
    work_s=st.floats(1, 1000),
    servers=st.integers(1, 3),
    shards=st.integers(1, 8),
)
def test_a_model_that_becomes_slower_or_takes_seconds_a_row_gets_there(
    row_s: float, slower: float, work_s: float, servers: int, shards: int
) -> None:
    """Late answers cut what is asked for, and what was answered counts when shards try again."""
    sizes = in_microbatches(max(1, min(int(work_s / row_s), 32_768 * 4)))
    paced = [PacedServer(f"{index}", row_s=row_s) for index in range(servers)]

    async def slow_down() -> tuple[list[RowsAnswer], PoolHealth]:
        loop = asyncio.get_running_loop()
        for server in paced:
            slow = min(row_s * slower, max(row_s, 1.0))
            loop.call_later(work_s / servers / 2, setattr, server, "row_s", slow)
        return await score(paced, sizes, at_once=shards * 4, pauses_s=PAUSES_S)

    answers, _ = simulate(slow_down())
    check(sizes, answers)
