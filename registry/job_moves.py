"""Move jobs from state to state, each move with its event."""

from dataclasses import replace
from datetime import datetime

from registry.domain import ModelRef
from registry.job_conflicts import AttemptOver, MoveRefused, OutputTaken, QueueFull, UnknownJob
from registry.jobs import MOVES, Job, JobEvent, JobEventKind, JobState, moved
from registry.lookup import require_alias, require_version
from registry.port import Rows
from registry.uses import Use, UseKind


def known_job(job_id: str, found: Job | None) -> Job:
    """Return the job that was found; raises `UnknownJob`."""
    if found is None:
        raise UnknownJob(job_id)
    return found


def locked_job(rows: Rows, job_id: str) -> Job:
    """Lock the job; raises `UnknownJob`."""
    return known_job(job_id, rows.lock_job(job_id))


def of_attempt(job: Job, attempt: int) -> Job:
    """Return the job; raises `AttemptOver` unless this run counts."""
    if job.attempt != attempt:
        raise AttemptOver(job.id, attempt, job.attempt)
    return job


def require_room(rows: Rows, output: str, most_unfinished: int | None) -> None:
    """Raise `OutputTaken` or `QueueFull` unless a job may write there now."""
    writing = rows.job_writing(output)
    if writing is not None:
        raise OutputTaken(output, writing)
    if most_unfinished is not None and rows.count_unfinished() >= most_unfinished:
        raise QueueFull(most_unfinished)


def pinned(rows: Rows, ref: ModelRef) -> int:
    """Return the version that the reference means now; raises `UnknownAlias`, `UnknownVersion`."""
    if ref.alias is not None:
        return require_alias(rows, ref.name, ref.alias).version
    return require_version(rows, ref.name, ref.version or 0).version


def use_of(job: Job) -> Use:
    """Return what keeps the version of an unfinished job."""
    return Use(UseKind.JOB, job.id, job.model, job.version)


def move_job(rows: Rows, job: Job, state: JobState, *, by: str, why: str, now: datetime) -> Job:
    """Bring the locked job to a state; raises `MoveRefused`."""
    if state is job.state:
        rows.put_job(job)
        return job
    if state not in MOVES[job.state]:
        raise MoveRefused(job.id, job.state, state)
    there = moved(job, state, now=now, why=why)
    if there.is_finished:
        rows.remove_uses(UseKind.JOB, job.id)
    return record_job(rows, there, JobEventKind.MOVED, by=by, why=why, now=now, before=job)


def publish_job(rows: Rows, job: Job, *, begun: bool, by: str, now: datetime) -> Job:
    """Bring the locked job to its publication; raises `MoveRefused` when it is to be cancelled."""
    if job.state is JobState.PUBLISHING or not job.cancel_asked_at:
        return move_job(rows, job, JobState.PUBLISHING, by=by, why="", now=now)
    if not begun:
        raise MoveRefused(job.id, job.state, JobState.PUBLISHING)
    why = "it was being published already when somebody asked to cancel it"
    kept = replace(job, cancel_asked_at=None)
    return move_job(rows, kept, JobState.PUBLISHING, by=by, why=why, now=now)


def record_job(
    rows: Rows, job: Job, kind: JobEventKind, *, by: str, why: str, now: datetime, before: Job
) -> Job:
    """Keep the locked job with an event more; the history's times do not fall."""
    at = max(now, before.changed_at or now)
    changed = replace(job, revision=before.revision + 1, changed_at=at)
    rows.put_job(changed)
    rows.add_job_event(event_of(changed, kind, by, before.state, why))
    return changed


def event_of(
    job: Job, kind: JobEventKind, by: str, before: JobState | None, why: str = ""
) -> JobEvent:
    """Return the line that tells of the present state of the job."""
    return JobEvent(
        job=job.id,
        revision=job.revision,
        kind=kind,
        at=job.changed_at or job.submitted_at,
        by=by,
        state=job.state,
        from_state=before,
        attempt=job.attempt,
        why=why,
    )
