"""Decide what follows when a job and its run in Prefect are compared, without I/O."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from api.jobs.runs import ENDED, Run, RunKind
from inference.tickets import Published
from registry.jobs import Counts, Job, JobState


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what may be on its way is waited for."""

    ending: timedelta
    """From the end that a run told to the end that Prefect tells."""
    stop: timedelta
    """From the wish to cancel to the run's own end."""
    silent: timedelta
    """From one word of a running run to the next."""
    pending: timedelta
    """From a worker's hand to the first word."""


@dataclass(frozen=True, slots=True)
class Move:
    """The job is where its run is."""

    state: JobState
    """Where that is."""
    why: str = ""
    """What Prefect says of it."""
    counts: Counts | None = None
    """What the run said last, which the row may not have heard; None when it said nothing."""


@dataclass(frozen=True, slots=True)
class Lose:
    """The run died; another one follows."""

    why: str
    """How that is known."""
    call: bool = False
    """Whether Prefect must be told as well."""


@dataclass(frozen=True, slots=True)
class Call:
    """Prefect must call the run what it is; the job knows."""

    kind: RunKind
    """What it is."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Prefect is to end the run."""


@dataclass(frozen=True, slots=True)
class AskCancel:
    """Somebody cancelled the run in Prefect."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Both have ended, alike."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be done."""


Verdict = Move | Lose | Call | Stop | AskCancel | Settle | Wait

_KINDS = {
    JobState.COMPLETED: RunKind.COMPLETED,
    JobState.COMPLETED_WITH_ERRORS: RunKind.COMPLETED,
    JobState.FAILED: RunKind.FAILED,
    JobState.CANCELLED: RunKind.CANCELLED,
}
_WAITING = frozenset({RunKind.SCHEDULED, RunKind.PENDING})
_BEGUN = frozenset({JobState.PLANNING, JobState.RUNNING})
"""Not publishing: from the queue a job may be cancelled, and its output may be there."""


def decide(
    job: Job, run: Run | None, *, now: datetime, unchanged: timedelta, patience: Patience
) -> Verdict:
    """Return what is to be done about a job that was handed to Prefect.

    `run` is None when Prefect has no such run any more; `unchanged` is how long nothing has been
    heard of the run, by the watch of whoever asks.

    1. the job ended: so must its run, alike, after a while in which it may do so by itself
    2. the run ended: so must the job, or another run goes on with it
    3. both go on: the run is stopped when it does not stop itself, and given up when it is silent
    """
    if job.is_finished:
        return _of_finished(job, run, now, patience)
    if run is None:
        return Lose("Prefect has no such run any more")
    if run.kind in ENDED:
        return _of_ended(job, run)
    return _of_both(job, run, now, unchanged, patience)


def _of_finished(job: Job, run: Run | None, now: datetime, patience: Patience) -> Verdict:
    kind = _KINDS[job.state]
    # A run that crashed after it had failed, or the other way round, is no other end.
    alike = {RunKind.FAILED, RunKind.CRASHED} if kind is RunKind.FAILED else {kind}
    if run is None or run.kind in alike:
        return Settle()
    if run.kind not in ENDED and job.ended_at and now - job.ended_at < patience.ending:
        return Wait()
    return Call(kind)


def _of_ended(job: Job, run: Run) -> Verdict:
    if run.kind is RunKind.COMPLETED:
        return _of_published(job, Published.told(run.message))
    if job.state is JobState.PAUSED:
        return Wait()  # it told why it ended, and goes on when somebody resumes it
    if run.kind is RunKind.CRASHED:
        return Lose(run.message or "its run crashed")
    if run.kind is RunKind.FAILED and not job.cancel_asked_at:
        return Move(JobState.FAILED, run.message)
    if job.state is JobState.PUBLISHING:
        # Its output may be there: the next run finds out, and finishes it.
        return Lose(f"its run was cancelled while it published: {run.message}")
    return Move(JobState.CANCELLED, run.message)


def _of_published(job: Job, told: Published | None) -> Verdict:
    counts = job.counts
    if told is not None:
        counts = replace(
            counts,
            rows_total=told.rows,
            rows_done=told.rows,
            rows_quarantined=told.quarantined,
            shards_total=told.shards,
            shards_done=told.shards,
            eta_s=None,
        )
    errors = counts.rows_quarantined > 0
    state = JobState.COMPLETED_WITH_ERRORS if errors else JobState.COMPLETED
    return Move(state, counts=None if counts == job.counts else counts)


def _of_both(
    job: Job, run: Run, now: datetime, unchanged: timedelta, patience: Patience
) -> Verdict:
    if run.kind is RunKind.PAUSED:
        return Wait() if job.state is JobState.PAUSED else Move(JobState.PAUSED, run.message)
    if run.kind is RunKind.RUNNING and unchanged >= patience.silent:
        return Lose(_silence(unchanged), call=True)
    if run.kind is RunKind.PENDING and unchanged >= patience.pending:
        return Lose(_silence(unchanged), call=True)
    if run.kind is RunKind.CANCELLING:
        if unchanged >= patience.silent:
            return Call(RunKind.CANCELLED)
        is_heard = job.cancel_asked_at or job.state is JobState.PUBLISHING
        return Wait() if is_heard else AskCancel()
    if job.cancel_asked_at:
        waits = run.kind is RunKind.SCHEDULED
        return Stop() if waits or now - job.cancel_asked_at >= patience.stop else Wait()
    if run.kind is RunKind.RUNNING and job.state is JobState.QUEUED and unchanged >= patience.stop:
        return Move(JobState.PLANNING)
    if run.kind in _WAITING and job.state in _BEGUN and unchanged >= patience.stop:
        return Move(JobState.QUEUED, "its run waits for a worker again")
    return Wait()


def _silence(unchanged: timedelta) -> str:
    return f"nothing was heard of its run for {unchanged.total_seconds():.0f} s"
