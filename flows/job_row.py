"""Tell the job's row in the registry how its run goes, and hear there that it is to stop.

A run that nobody submitted to the API has no row; nothing is told then. The row is for those who
watch: an outage of the registry stops no run that scores, and what was scored is decided by the
parts alone. The API finishes the row of a run that could not.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from flows.bottleneck import Bound, Work
from flows.errors import JobCancelled, JobUnfinished
from flows.progress import JobProgress
from flows.threads import in_thread
from inference.tickets import Ticket
from registry.errors import RegistryError, RegistryUnavailable
from registry.job_book import RUN, Jobs
from registry.job_conflicts import AttemptOver, MoveRefused
from registry.jobs import FINISHED, Counts, JobState

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.25
"""Between two looks at the phase: each one that lasts shows in the job's history."""
_LAST_TRIES = 5
"""Tries to tell how the run ended, a second apart: a database that fails over takes seconds."""
_STATES = {
    "resolve": JobState.PLANNING,
    "plan": JobState.PLANNING,
    "score": JobState.RUNNING,
    "publish": JobState.PUBLISHING,
    "report": JobState.PUBLISHING,
}
_WAY = (JobState.PLANNING, JobState.RUNNING, JobState.PUBLISHING)
_MOST_WHY_CHARS = 2000


class JobRow:
    """The row of the job that a run works for; silent when there is none."""

    def __init__(
        self,
        jobs: Jobs,
        ticket: Ticket | None,
        progress: JobProgress,
        bound_so_far: Callable[[], Bound | None],
    ) -> None:
        self._jobs = jobs
        self._ticket = ticket
        self._progress = progress
        self._bound_so_far = bound_so_far
        self._before = Counts()
        self._work: Work | None = None
        self._compute_s = 0.0
        self._state = JobState.PLANNING
        self._publishes = False
        self._telling = asyncio.Lock()
        self.stopped: RegistryError | JobCancelled | None = None
        """Why the run is to stop, once it is."""

    async def begin(self, run_id: str) -> None:
        """Say that the run works for the job; raises `JobCancelled`, or `AttemptOver`."""
        if self._ticket is None:
            return
        ticket = self._ticket
        try:
            job = await in_thread(self._jobs.begin, ticket.job, ticket.attempt, run_id)
        except MoveRefused as error:
            raise JobCancelled(ticket.job) from error
        self._before = job.counts
        if job.state is JobState.PUBLISHING:  # an earlier run was at it: so it stays
            self._state, self._publishes = job.state, True
        if job.is_finished:
            self._ticket = None  # it has its result; what this run repeats changes nothing
        if job.cancel_asked_at:
            await self.ended(JobState.CANCELLED)
            raise JobCancelled(ticket.job)

    async def worked(self, work: Work) -> None:
        """Say that all is scored, and what that took; then nobody cancels the job any more.

        Ends as a block that `watch` cancels when somebody asked for that before.
        """
        self._work = work
        compute = (stage.busy_s for stage in work.stages if stage.name == "compute")
        self._compute_s = sum(compute) * work.own_share
        for state in (JobState.RUNNING, JobState.PUBLISHING):  # however short the former was
            await self._advance(state)
        if self.stopped is not None:
            host = asyncio.current_task()
            assert host is not None
            host.cancel()
            await asyncio.sleep(0)
        self._publishes = True  # also where the registry is away: it hears of it later

    async def watch(self, host: "asyncio.Task[object]", *, interval_s: float) -> None:
        """Tell every `interval_s` how far the run is; cancel `host` when it is to stop."""
        loop = asyncio.get_running_loop()
        told_at = loop.time()
        while self._ticket is not None and not host.cancelling():
            await asyncio.sleep(_LOOK_EVERY_S)
            now = _STATES[self._progress.snapshot().phase]
            if now is self._state and loop.time() - told_at < interval_s:
                continue
            await self._advance(now)
            if self.stopped is not None:
                host.cancel()
                return
            told_at = loop.time()

    async def ended(self, state: JobState, why: str = "") -> None:
        """Say how the run ended; given up after a while, when the API finds out by itself."""
        for attempt in range(_LAST_TRIES):
            with suppress(RegistryUnavailable):
                await self._tell(state, why)
                return
            if attempt < _LAST_TRIES - 1:
                await asyncio.sleep(1.0)

    @property
    def is_published(self) -> bool:
        """Whether the output is there; what comes after it is the report."""
        return self._progress.snapshot().phase == "report"

    async def published(self, why: str = "") -> None:
        """Say that the output is there."""
        errors = self._counts().rows_quarantined > 0
        await self.ended(JobState.COMPLETED_WITH_ERRORS if errors else JobState.COMPLETED, why)

    async def _advance(self, state: JobState) -> None:
        """Tell how far the run is; a state that is behind the present one is none to go to."""
        async with self._telling:
            is_new = _WAY.index(state) > _WAY.index(self._state)
            try:
                await self._tell(state if is_new else None)
            except RegistryUnavailable as error:
                _log.warning("the job's row cannot be told how far its run is: %s", error)
                return
            self._state = state if is_new else self._state

    async def _tell(self, state: JobState | None, why: str = "") -> None:
        ticket = self._ticket
        if ticket is None:
            return
        try:
            job = await in_thread(self._jobs.tell, ticket.job, ticket.attempt, self._counts())
            if job.is_finished:
                return
            if state is JobState.PUBLISHING:
                publish, begun = self._jobs.publish, self._publishes
                await in_thread(publish, ticket.job, ticket.attempt, begun=begun)
            elif job.cancel_asked_at and state not in FINISHED and not self._publishes:
                self.stopped = JobCancelled(job.id)
            elif state is not None:
                told = {"by": RUN, "why": why[:_MOST_WHY_CHARS]}
                await in_thread(self._jobs.move, ticket.job, ticket.attempt, state, **told)
        except MoveRefused as error:
            is_cancel = state is JobState.PUBLISHING
            self.stopped = JobCancelled(ticket.job) if is_cancel else error
        except AttemptOver as error:
            self.stopped = error

    def _counts(self) -> Counts:
        now = self._progress.snapshot()
        if not now.shards_total:
            return replace(self._before, rate=0.0, eta_s=None)
        bound = self._work.bound if self._work else self._bound_so_far()
        return Counts(
            rows_total=now.rows_total,
            rows_done=now.rows_done,
            rows_quarantined=now.rows_quarantined,
            shards_total=now.shards_total,
            shards_done=now.shards_done,
            rate=round(now.rate, 3),
            eta_s=None if now.eta_s is None else round(now.eta_s, 3),
            bound=bound.name if bound and bound.clear else self._before.bound,
            compute_s=round(self._before.compute_s + self._compute_s, 6),
        )


@asynccontextmanager
async def told_to_row(
    jobs: Jobs,
    progress: JobProgress,
    *,
    bound_so_far: Callable[[], Bound | None],
    ticket: Ticket | None,
    run_id: str,
    interval_s: float,
) -> AsyncIterator[JobRow]:
    """Tell the row of the ticket's job how the block goes, and end the block where it says so.

    Raises as the block does; `JobCancelled` when somebody asked for it, `AttemptOver` when another
    run goes on with the job. A block that is cancelled otherwise leaves the row to the API.
    """
    row = JobRow(jobs, ticket, progress, bound_so_far)
    await row.begin(run_id)
    host = asyncio.current_task()
    assert host is not None
    try:
        # Ended before the end is told: what is told last must come last.
        async with _watching(row, host, interval_s):
            yield row
    except asyncio.CancelledError:
        if row.stopped is None:
            raise
        while host.cancelling():
            host.uncancel()
        await row.ended(JobState.CANCELLED)
        raise row.stopped from None
    except JobUnfinished as error:
        await row.ended(JobState.PAUSED, str(error))
        raise
    except Exception as error:  # the edge of the job: whatever ends it is told, and raised again
        words = " ".join(str(error).split()) or type(error).__name__
        if row.is_published:
            await row.published(f"without a report: {words}")
        else:
            await row.ended(JobState.FAILED, words)
        raise
    await row.published()


@asynccontextmanager
async def _watching(
    row: JobRow, host: "asyncio.Task[object]", interval_s: float
) -> AsyncIterator[None]:
    watching = asyncio.create_task(row.watch(host, interval_s=interval_s), name="job-row")
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
