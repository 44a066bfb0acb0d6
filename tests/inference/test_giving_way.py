"""Batch beside others at the same server."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from inference.pool import Pool
from tests.inference.scripted import ScriptedServer
from tests.inference.simulated import simulate
from tests.inference.test_pool import AS_SHIPPED, request

ROW = replace(request(), version="1")


class Waiting(ScriptedServer):
    """A server that says how long its requests waited for each other."""

    async def counts(self, model: str, version: str) -> Sequence[Mapping[str, Any]]:
        told = await super().counts(model, version)
        answered = told[0]["inference_stats"]["success"]["count"]
        return [
            {"inference_stats": {"success": {"count": answered}, "queue": {"ns": answered * 10**8}}}
        ]


def test_batch_has_one_request_at_a_time_there_while_callers_come() -> None:
    """It finds out by what the server counts, and takes all again when they have gone."""

    async def scenario() -> None:
        server, loop = Waiting("a"), asyncio.get_running_loop()
        server.delay_s = 0.1
        settings = AS_SHIPPED.model_copy(update={"window_initial": 4, "window_max": 4})
        async with (
            Pool([server], settings, clock=loop.time) as batch,
            Pool([server], settings, clock=loop.time) as callers,
        ):
            batch.give_way()

            async def score() -> None:
                while True:
                    await batch.infer(ROW)

            async def ask(seconds: float) -> None:
                end = loop.time() + seconds
                while loop.time() < end:
                    await callers.infer(ROW)
                    await asyncio.sleep(0.05)

            jobs = [asyncio.create_task(score()) for _ in range(8)]
            (route,) = batch.known([server]).values()
            await asyncio.sleep(5.0)
            assert (route.ceiling, route.outstanding) == (None, 4)
            usual = batch.most_rows("faulty", "1")
            await ask(8.0)
            assert (route.ceiling, route.outstanding) == (1, 1)
            assert batch.most_rows("faulty", "1") < usual
            await asyncio.sleep(9.0)
            assert (route.ceiling, route.outstanding) == (None, 4)
            assert batch.most_rows("faulty", "1") == usual
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)

    simulate(scenario())
