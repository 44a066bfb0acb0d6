"""Do something for every job, whatever becomes of one of them."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from api.jobs.runs import RunsAway
from registry.errors import RegistryUnavailable
from registry.jobs import Job

_MOST_IN_A_ROW = 3
"""Jobs in a row that nobody answers for: then nobody is there, and the others wait for the next
sweep. Each may have taken as long as an answer is waited for."""


class Sweep:
    """Goes through the jobs again and again; those that failed the last time come last.

    So neither one job at fault nor several keep the others from their turn.
    """

    def __init__(self, *, at_once: int = 1) -> None:
        """Jobs are begun in order, `at_once` of them at a time."""
        self._at_once = at_once
        self._failed: set[str] = set()

    async def over(self, jobs: Collection[Job], do: Callable[[Job], Awaitable[None]]) -> None:
        """Do it for every job. Raises an `ExceptionGroup` of what failed, when all had a turn.

        Jobs are left for the next time when `RunsAway` or `RegistryUnavailable` comes three times
        in a row.
        """
        order = iter(sorted(jobs, key=lambda job: job.id in self._failed))
        self._failed &= {job.id for job in jobs}
        faults: list[Exception] = []
        in_a_row = 0

        async def work() -> None:
            nonlocal in_a_row
            while in_a_row < _MOST_IN_A_ROW and (job := next(order, None)) is not None:
                try:
                    await do(job)
                except Exception as error:  # noqa: BLE001  # an edge: one job's fault is its own
                    faults.append(error)
                    self._failed.add(job.id)
                    is_away = isinstance(error, RunsAway | RegistryUnavailable)
                    in_a_row = in_a_row + 1 if is_away else 0
                else:
                    in_a_row = 0
                    self._failed.discard(job.id)

        async with asyncio.TaskGroup() as workers:
            for _ in range(self._at_once):
                workers.create_task(work())
        if faults:
            raise ExceptionGroup("some jobs could not be dealt with", faults)
