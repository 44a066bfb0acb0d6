"""Keep jobs by the registry's rules: who may submit, what may follow on what."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from registry.catalog import utc_now
from registry.job_conflicts import MoveRefused
from registry.job_moves import (
    event_of,
    known_job,
    locked_job,
    move_job,
    of_attempt,
    pinned,
    publish_job,
    record_job,
    require_room,
    use_of,
)
from registry.job_orders import Order
from registry.jobs import (
    RESUMABLE,
    Counts,
    Job,
    JobEvent,
    JobEventKind,
    JobFilter,
    JobState,
    again,
)
from registry.lookup import locked_model, require_version
from registry.pages import Page, page_of
from registry.port import Store

RUN = "run"
"""Who tells what a run does itself."""
RECONCILER = "reconciler"
"""Who tells what Prefect says of a run."""

_ALL = JobFilter()
_NEVER_AGAIN = {JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS}


class Jobs:
    """The registry's rules for jobs.

    Every change happens under the job's lock; each that a person would want to hear of raises its
    `revision` by one and leaves one event. While a job is unfinished its output is its own and its
    version cannot be deleted. Every method but the reads raises `UnknownJob`.
    """

    def __init__(
        self,
        store: Store,
        *,
        now: Callable[[], datetime] = utc_now,
        draw: Callable[[], str] = lambda: secrets.token_hex(4),
    ) -> None:
        self._store = store
        self._now = now
        self._draw = draw

    def submit(self, order: Order, *, most_unfinished: int) -> tuple[Job, bool]:
        """Return the job of the order, and whether it is new: a repetition finds the first one.

        Raises `UnknownModel`, `UnknownVersion`, `UnknownAlias`, `RequestReused`, `OutputTaken`,
        `QueueFull`.
        """
        with self._store.writing() as rows:
            known = order.request and rows.job_of_request(order.request)
            if known:
                return order.require_same(known), False
            locked_model(rows, order.model.name)
            version = pinned(rows, order.model)
            rows.lock_submissions()
            known = order.request and rows.job_of_request(order.request)
            if known:
                return order.require_same(known), False
            require_room(rows, order.output, most_unfinished)
            job = order.job(version, now=self._now(), drawn=self._draw())
            rows.add_job(job)
            rows.add_job_event(event_of(job, JobEventKind.SUBMITTED, order.by, None))
            rows.add_use(use_of(job))
            return job, True

    def job(self, job_id: str) -> Job:
        """Return the job; raises `UnknownJob`."""
        with self._store.reading() as rows:
            return known_job(job_id, rows.job(job_id))

    def jobs(
        self, wanted: JobFilter = _ALL, *, after: str | None = None, limit: int | None = None
    ) -> Page[Job, str]:
        """Return jobs, newest first."""
        with self._store.reading() as rows:
            one_more = None if limit is None else limit + 1
            found = rows.jobs(wanted, after=after, limit=one_more)
        return page_of(found, limit, lambda job: job.id)

    def events(
        self,
        job_id: str,
        *,
        after: int | None = None,
        limit: int | None = None,
    ) -> Page[JobEvent, int]:
        """Return what happened to the job, newest first; raises `UnknownJob`."""
        with self._store.reading() as rows:
            known_job(job_id, rows.job(job_id))
            one_more = None if limit is None else limit + 1
            found = rows.job_events(job_id, after=after, limit=one_more)
        return page_of(found, limit, lambda event: event.revision)

    def ask_cancel(self, job_id: str, *, by: str, why: str = "") -> Job:
        """Have the job cancelled: at once where no run has it, else by its run.

        Safe to repeat. Raises `MoveRefused` for a job that is being published or ended otherwise.
        """
        with self._store.writing() as rows:
            job = locked_job(rows, job_id)
            if job.state is JobState.CANCELLED or (job.cancel_asked_at and not job.is_finished):
                return job
            if job.is_finished or job.state is JobState.PUBLISHING:
                raise MoveRefused(job_id, job.state, "cancel")
            now = self._now()
            asked = replace(job, cancel_asked_at=now)
            if job.run_id is None or job.state is JobState.PAUSED:
                return move_job(rows, asked, JobState.CANCELLED, by=by, why=why, now=now)
            return record_job(
                rows, asked, JobEventKind.CANCEL_ASKED, by=by, why=why, now=now, before=job
            )

    def resume(self, job_id: str, *, by: str, most_unfinished: int, why: str = "") -> Job:
        """Have a job go on that was paused, failed or was cancelled.

        Safe to repeat: one that is under way is left alone. Raises `MoveRefused`, `OutputTaken`,
        `QueueFull`, or `UnknownModel`, `UnknownVersion` when what scored is gone.
        """
        with self._store.writing() as rows:
            # The model before the job, as where jobs are submitted.
            model = known_job(job_id, rows.job(job_id)).model
            locked_model(rows, model)
            rows.lock_submissions()
            job = locked_job(rows, job_id)
            if job.state not in RESUMABLE:
                if job.is_finished or job.cancel_asked_at:
                    raise MoveRefused(job_id, job.state, "resume")
                return job
            require_version(rows, model, job.version)
            if job.is_finished:
                require_room(rows, job.output, most_unfinished)
            now = self._now()
            queued = again(job, now=now, why=why, lost=False)
            rows.add_use(use_of(job))
            return record_job(
                rows, queued, JobEventKind.RESUMED, by=by, why=why, now=now, before=job
            )

    def sent(self, job_id: str, attempt: int, run_id: str) -> Job:
        """Write down which of Prefect's runs the attempt is; raises `AttemptOver`."""
        with self._store.writing() as rows:
            job = of_attempt(locked_job(rows, job_id), attempt)
            if job.run_id is not None:
                return job
            known = replace(job, run_id=run_id, settled_at=None)
            kind, now = JobEventKind.SENT, self._now()
            return record_job(rows, known, kind, by=RECONCILER, why=run_id, now=now, before=job)

    def begin(self, job_id: str, attempt: int, run_id: str) -> Job:
        """Have the run speak for the job; return the job, planning unless it is final.

        Raises `AttemptOver` for a run that was given up, `MoveRefused` for a cancelled job; for one
        that had failed as `resume`.
        """
        with self._store.writing() as rows:
            job = of_attempt(known_job(job_id, rows.job(job_id)), attempt)
            if job.state in _NEVER_AGAIN:
                return job
            # Also for a job that has not failed: it may before it is locked.
            locked_model(rows, job.model)
            rows.lock_submissions()
            job = of_attempt(locked_job(rows, job_id), attempt)
            if job.state in _NEVER_AGAIN:
                return job
            now = self._now()
            known = replace(job, run_id=run_id, heard_at=now)
            if job.state is JobState.FAILED:
                # Prefect runs again what had failed: what it holds is taken again.
                require_version(rows, job.model, job.version)
                require_room(rows, job.output, None)
                rows.add_use(use_of(job))
            # What an earlier run was publishing stays beyond cancelling.
            is_out = job.state is JobState.PUBLISHING
            there = JobState.PUBLISHING if is_out else JobState.PLANNING
            return move_job(rows, known, there, by=RUN, why="", now=now)

    def tell(self, job_id: str, attempt: int, counts: Counts) -> Job:
        """Write down how far the run is; return the job, which may ask it to stop.

        Raises `AttemptOver`.
        """
        with self._store.writing() as rows:
            job = of_attempt(locked_job(rows, job_id), attempt)
            if job.is_finished:
                return job
            told = replace(job, counts=counts, heard_at=self._now())
            rows.put_job(told)
            return told

    def publish(self, job_id: str, attempt: int, *, begun: bool = False) -> Job:
        """Say that the output is published next: from here on nobody cancels the job.

        A run that has `begun` while the registry was away has a wish to cancel taken back, else it
        comes first. Raises `MoveRefused` then, `AttemptOver`.
        """
        with self._store.writing() as rows:
            job = of_attempt(locked_job(rows, job_id), attempt)
            return publish_job(rows, job, begun=begun, by=RUN, now=self._now())

    def move(
        self,
        job_id: str,
        attempt: int,
        state: JobState,
        *,
        by: str,
        why: str = "",
    ) -> Job:
        """Bring the job to a state; nothing happens when it is there.

        Raises `AttemptOver`, `MoveRefused`.
        """
        with self._store.writing() as rows:
            job = of_attempt(locked_job(rows, job_id), attempt)
            if job.state is state:
                return job
            return move_job(rows, job, state, by=by, why=why, now=self._now())

    def lose(self, job_id: str, attempt: int, *, why: str, most_lost: int) -> Job:
        """Give the run up, which died: another one follows, at most `most_lost` in a row.

        A job that was to be cancelled is cancelled then. Raises `AttemptOver`.
        """
        with self._store.writing() as rows:
            job = of_attempt(locked_job(rows, job_id), attempt)
            now = self._now()
            if job.is_finished:
                return job
            if job.cancel_asked_at:
                return move_job(rows, job, JobState.CANCELLED, by=RECONCILER, why=why, now=now)
            if job.attempts_lost >= most_lost:
                told = f"{why}; given up after {job.attempts_lost + 1} runs that died"
                return move_job(rows, job, JobState.FAILED, by=RECONCILER, why=told, now=now)
            queued = again(job, now=now, why=why, lost=True)
            kind = JobEventKind.MOVED
            return record_job(rows, queued, kind, by=RECONCILER, why=why, now=now, before=job)

    def settle(self, job_id: str, attempt: int) -> None:
        """Write down that the job's end and that of Prefect's run agree; raises `AttemptOver`."""
        with self._store.writing() as rows:
            job = of_attempt(locked_job(rows, job_id), attempt)
            if job.is_finished:
                rows.put_job(replace(job, settled_at=self._now()))
