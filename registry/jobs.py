"""Say what a job is and which way its state may go, without I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any


class JobState(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    PLANNING = "planning"
    RUNNING = "running"
    PAUSED = "paused"
    PUBLISHING = "publishing"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINISHED = frozenset(
    {
        JobState.COMPLETED,
        JobState.COMPLETED_WITH_ERRORS,
        JobState.FAILED,
        JobState.CANCELLED,
    }
)
"""Where nothing happens any more; all others hold the job's output and its version."""
RESUMABLE = frozenset({JobState.PAUSED, JobState.FAILED, JobState.CANCELLED})
"""From where a person may have it continue from what it has committed."""

_AGAIN = {JobState.QUEUED, JobState.PLANNING}
_UNDER_WAY = {JobState.PLANNING, JobState.RUNNING, JobState.PUBLISHING, JobState.PAUSED}
MOVES: Mapping[JobState, frozenset[JobState]] = {
    JobState.QUEUED: FINISHED | _UNDER_WAY,
    JobState.PLANNING: FINISHED | _UNDER_WAY | _AGAIN,
    JobState.RUNNING: FINISHED | _UNDER_WAY | _AGAIN,
    # Its output may be there: it ends published, or fails, and nobody cancels it any more.
    JobState.PUBLISHING: (FINISHED | _UNDER_WAY | _AGAIN) - {JobState.CANCELLED},
    JobState.PAUSED: FINISHED | _UNDER_WAY | _AGAIN,
    JobState.FAILED: frozenset(_AGAIN),
    # By resuming only: a run that comes late does not bring back what somebody cancelled.
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
    JobState.COMPLETED: frozenset(),
    JobState.COMPLETED_WITH_ERRORS: frozenset(),
}
"""Where each state may go: a run that dies goes back to the queue, a published output is final."""


class JobEventKind(StrEnum):
    """What happened to a job."""

    SUBMITTED = "job.submitted"
    SENT = "job.sent"
    MOVED = "job.moved"
    CANCEL_ASKED = "job.cancel-asked"
    RESUMED = "job.resumed"


@dataclass(frozen=True, slots=True)
class Counts:
    """How far a job is, as its run last told."""

    rows_total: int = 0
    """Rows of the plan; 0 before it is made."""
    rows_done: int = 0
    """Rows scored or quarantined, those of earlier runs included."""
    rows_quarantined: int = 0
    """Those of them that could not be scored."""
    shards_total: int = 0
    """Shards of the plan."""
    shards_done: int = 0
    """Shards committed."""
    rate: float = 0.0
    """Rows per second since the present run began to score."""
    eta_s: float | None = None
    """Seconds that the rest takes at this rate; None when it cannot be told."""
    bound: str | None = None
    """The stage that is, or was, busiest; None before any was."""
    compute_s: float = 0.0
    """Seconds that model instances worked for the job, over all its runs."""


@dataclass(frozen=True, slots=True)
class Job:
    """One request to score a dataset, with how it goes."""

    id: str
    """Its name; begins with the moment of its submission, so that names sort by it."""
    asked: Mapping[str, Any]
    """The job contract as it was submitted, JSON values."""
    model: str
    """The registered model."""
    version: int
    """The version that its reference meant when it was submitted: every run scores with that."""
    output: str
    """Where it writes, in canonical form; one unfinished job at a time."""
    state: JobState
    """Where it is."""
    submitted_at: datetime
    """When, in UTC."""
    submitted_by: str
    """Who did that."""
    fingerprint: str = ""
    """Hash of the request that submitted it."""
    request: str | None = None
    """Names that request, so that its repetition finds the job; unique."""
    attempt: int = 1
    """Which run it is: counted up when a run is given up or the job is resumed."""
    attempts_lost: int = 0
    """Runs that died since a person last started it."""
    run_id: str | None = None
    """Prefect's flow run of this attempt; None before Prefect has it."""
    cancel_asked_at: datetime | None = None
    """When somebody asked to cancel it; None unless that is being done, or was."""
    started_at: datetime | None = None
    """When its first run began."""
    ended_at: datetime | None = None
    """When it came to a finished state; None before."""
    heard_at: datetime | None = None
    """When its run last told how far it is."""
    settled_at: datetime | None = None
    """When its end and that of Prefect's run were last seen to agree; None before."""
    why: str = ""
    """Why it is where it is, in one line; may be empty."""
    retry_of: str | None = None
    """The job whose quarantine it scores."""
    revision: int = 0
    """How many events it has had."""
    changed_at: datetime | None = None
    """When the last of them was."""
    counts: Counts = field(default_factory=Counts)
    """How far it is."""

    @property
    def is_finished(self) -> bool:
        """Whether nothing happens any more unless somebody resumes it."""
        return self.state in FINISHED


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One line of a job's history, never changed."""

    job: str
    """The job."""
    revision: int
    """Counts the job's events, without a gap."""
    kind: JobEventKind
    """What happened."""
    at: datetime
    """When, in UTC."""
    by: str
    """Who did it; `run` and `reconciler` are the platform's own."""
    state: JobState
    """Where the job is since."""
    from_state: JobState | None
    """Where it was; None for the first event."""
    attempt: int
    """Which run it was then."""
    why: str = ""
    """The reason, in one line; may be empty."""


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are wanted; what is not given takes all."""

    states: tuple[JobState, ...] = ()
    """Where they are."""
    model: str | None = None
    """What scores."""
    submitted_by: str | None = None
    """Who submitted them."""
    unsettled: bool = False
    """Only those whose end and that of Prefect's run were not seen to agree yet."""


def new_job_id(now: datetime, drawn: str) -> str:
    """Return a name that sorts by `now`; `drawn` is random text that tells those of one moment."""
    return f"{round(now.timestamp() * 1000):011x}-{drawn}"


def moved(job: Job, state: JobState, *, now: datetime, why: str = "") -> Job:
    """Return the job in its new state; `MOVES` must allow it."""
    ended = state in FINISHED
    begun = state in {JobState.PLANNING, JobState.RUNNING}
    return replace(
        job,
        state=state,
        why=why,
        started_at=job.started_at or (now if begun else None),
        ended_at=now if ended else None,
        settled_at=None,
        cancel_asked_at=None if job.is_finished else job.cancel_asked_at,
    )


def again(job: Job, *, now: datetime, why: str, lost: bool) -> Job:
    """Return the job as it waits for another run; `lost` when the present one died.

    One whose run died while it published goes on with that.
    """
    publishing = lost and job.state is JobState.PUBLISHING
    return replace(
        moved(job, JobState.PUBLISHING if publishing else JobState.QUEUED, now=now, why=why),
        attempt=job.attempt + 1,
        attempts_lost=job.attempts_lost + 1 if lost else 0,
        run_id=None,
        heard_at=None,
        cancel_asked_at=job.cancel_asked_at if lost else None,
    )


def places_above(output: str) -> tuple[str, ...]:
    """Return `output` with every place that holds it: `s3://a/b/c`, `s3://a/b`, `s3://a`."""
    head, separator, path = output.rpartition("://")
    steps = path.split("/")
    return tuple(head + separator + "/".join(steps[:n]) for n in range(len(steps), 0, -1))
