"""Keep the runs of jobs in memory: the twin of `api.jobs.prefect_runs.PrefectRuns`."""

from collections.abc import Collection, Mapping
from typing import Any

from api.jobs.runs import ENDED, Run, RunKind, RunsAway
from inference.tickets import Ticket


class MemoryRuns:
    """Runs that do what a test says; see `api.jobs.runs.Runs`."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        """By id, which names the job and its attempt."""
        self.is_away = False
        """Whether nothing is answered."""
        self.broken: set[str] = set()
        """Ids of runs whose every change fails, as that of a row that is damaged there."""
        self.tried: list[str] = []
        """The run of each change that was asked for."""

    async def send(self, ticket: Ticket, job: Mapping[str, Any]) -> str:
        """Have the job wait for a worker."""
        run_id = f"{ticket.job}/{ticket.attempt}"
        self._change(run_id)
        return self.runs.setdefault(run_id, Run(run_id, RunKind.SCHEDULED)).id

    async def look(self, run_ids: Collection[str]) -> Mapping[str, Run]:
        """Return the runs by id."""
        self._check()
        return {run_id: self.runs[run_id] for run_id in run_ids if run_id in self.runs}

    async def stop(self, run_id: str) -> None:
        """Have a worker end the run, at some time."""
        self._change(run_id)
        if self.runs[run_id].kind not in ENDED:
            self.runs[run_id] = Run(run_id, RunKind.CANCELLING)

    async def call(self, run_id: str, kind: RunKind, why: str) -> None:
        """Name the run's state."""
        self._change(run_id)
        self.runs[run_id] = Run(run_id, kind, why)

    def _change(self, run_id: str) -> None:
        self._check()
        self.tried.append(run_id)
        if run_id in self.broken:
            raise RunsAway(f"500 for {run_id}")

    def _check(self) -> None:
        if self.is_away:
            raise RunsAway("the connection is refused")
