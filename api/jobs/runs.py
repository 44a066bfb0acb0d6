"""Say what the API needs of whoever runs the jobs."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from inference.tickets import Ticket


class RunKind(StrEnum):
    """Where a run is, as Prefect names it."""

    SCHEDULED = "SCHEDULED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    CRASHED = "CRASHED"


ENDED = frozenset({RunKind.COMPLETED, RunKind.FAILED, RunKind.CANCELLED, RunKind.CRASHED})
"""Where a run does nothing any more."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as Prefect knows it."""

    id: str
    """Its name there."""
    kind: RunKind
    """Where it is."""
    message: str = ""
    """What Prefect says of it, in one line."""


class RunsAway(Exception):
    """Whoever runs the jobs does not answer, or is not ready for them."""


class RunRefused(Exception):
    """The job cannot be run as it is."""


class Runs(Protocol):
    """Where jobs are run. Every method raises `RunsAway`."""

    async def send(self, ticket: Ticket, job: Mapping[str, Any]) -> str:
        """Have the job run; return the run's id. Repeated, it is the same run.

        Raises `RunRefused`.
        """

    async def look(self, run_ids: Collection[str]) -> Mapping[str, Run]:
        """Return the runs by id; one that is not known there is left out."""

    async def stop(self, run_id: str) -> None:
        """Have a run cancelled; one that ended stays as it is."""

    async def call(self, run_id: str, kind: RunKind, why: str) -> None:
        """Have the run called what it is, whatever is known of it there."""
