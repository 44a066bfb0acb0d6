"""More requests of callers than a server bears: what is answered in their time."""

import asyncio
from dataclasses import dataclass

import pytest

from inference.errors import InferenceError
from inference.pool import Pool
from inference.settings import CallersInferenceSettings
from inference.tensors import InferRequest, RawTensor
from tests.inference.simulated import PacedServer, simulate

BORNE = 1000
"""Requests that the server can answer in the meantime."""
SETTINGS = CallersInferenceSettings(triton_urls=("unused",))
X = RawTensor("x", "FP32", (1, 1), b"\x00\x00\x80?")
ROW = InferRequest("faulty", "1", {}, ("y",), 1, raw=(X,))


@dataclass(slots=True)
class Ends:
    """What became of requests."""

    answered: int = 0
    refused: int = 0
    late: int = 0


async def overload(server: PacedServer, borne: float, deadline_s: float) -> Ends:
    """Ask for three times of what the server bears; refuse as the engine does."""
    ends, loop = Ends(), asyncio.get_running_loop()

    async def ask() -> None:
        if pool.wait_s("faulty", "1", priority=1) > deadline_s / 2:
            ends.refused += 1
            return
        try:
            await pool.infer(ROW, deadline_s=deadline_s)
            ends.answered += 1
        except InferenceError:
            ends.late += 1

    async with (
        Pool([server], SETTINGS, clock=loop.time) as pool,
        asyncio.TaskGroup() as callers,
    ):
        for _ in range(3 * BORNE):
            callers.create_task(ask())
            await asyncio.sleep(1 / (3 * borne))
    return ends


@pytest.mark.parametrize(
    ("row_s", "instances", "deadline_s"),
    [(0.04, 1, 2.0), (0.004, 1, 2.0), (0.5, 4, 4.0), (1.0, 8, 10.0)],
)
def test_three_times_too_much_costs_little_of_what_can_be_done(
    row_s: float, instances: int, deadline_s: float
) -> None:
    """Callers who are taken in are answered in their time: they wait here, not at the server.

    A model that works on several at a time still has several to work on.
    """
    server = PacedServer("a", row_s=row_s, instances=instances)
    ends = simulate(overload(server, instances / row_s, deadline_s))
    assert ends.answered >= 0.9 * BORNE, ends
    assert ends.late <= 0.1 * BORNE, ends
