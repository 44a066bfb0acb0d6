"""What a run tells the job's row, and what it hears there."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest

from flows.bottleneck import Bound, StageTime, Work
from flows.errors import JobCancelled, JobUnfinished
from flows.job_row import JobRow, told_to_row
from flows.progress import JobProgress
from inference.tickets import Ticket
from registry.domain import ModelRef
from registry.job_book import Jobs
from registry.job_conflicts import AttemptOver, MoveRefused
from registry.job_orders import Order
from registry.jobs import Counts, Job
from tests.contracts.memory_store import MemoryStore
from tests.contracts.store_away import StoreAway
from tests.contracts.test_store import FIRST, FLIGHTS
from tests.inference.scripted import until

NOTHING = Work(stages=(), bound=None, foreign_requests=0)
WORK = Work(
    stages=(StageTime("compute", 1.5, 1),),
    bound=Bound("compute", 0.9, None, ()),
    foreign_requests=0,
)
READING = Bound("reading", 0.8, None, ())


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    with store.writing() as rows:
        rows.add_model(FLIGHTS)
        rows.add_version(FIRST, content="1")
    return store


@pytest.fixture
def jobs(store: MemoryStore) -> Jobs:
    return Jobs(store)


@pytest.fixture
def job(jobs: Jobs) -> Job:
    order = Order({"input": "in"}, ModelRef("flights", None, 1), "/out", by="ada")
    return jobs.submit(order, most_unfinished=1)[0]


def _told(
    jobs: Jobs, job: Job, progress: JobProgress, *, interval_s: float = 0.05
) -> AbstractAsyncContextManager[JobRow]:
    ticket = Ticket(job.id, 1)
    return told_to_row(
        jobs,
        progress,
        bound_so_far=lambda: READING,
        ticket=ticket,
        run_id="r",
        interval_s=interval_s,
    )


def _states(jobs: Jobs, job: Job) -> list[str]:
    return [event.state.value for event in jobs.events(job.id).items[::-1]]


async def test_a_run_that_ends_well_tells_each_step(jobs: Jobs, job: Job) -> None:
    """However short they are, with the counts of all of it."""
    progress = JobProgress(clock=lambda: 0.0)
    async with _told(jobs, job, progress) as row:
        progress.enter("plan")
        progress.planned(rows=10, shards=1)
        progress.enter("score")
        progress.advanced(0, rows=10, quarantined=2)
        progress.committed(0)
        await row.worked(WORK)
        progress.enter("publish")
    done = jobs.job(job.id)
    assert _states(jobs, job) == [
        *("queued", "planning", "running", "publishing", "completed_with_errors")
    ]
    assert done.counts == Counts(10, 10, 2, 1, 1, 0.0, None, "compute", 1.5)


async def test_a_run_without_a_row_tells_nobody(jobs: Jobs, job: Job) -> None:
    """A person's own run works as it did."""
    progress = JobProgress()
    nobody = told_to_row(
        jobs, progress, bound_so_far=lambda: None, ticket=None, run_id="r", interval_s=0.05
    )
    async with nobody as row:
        await row.worked(NOTHING)
    assert jobs.job(job.id) == job


async def test_what_bounds_a_job_is_told_while_it_runs(jobs: Jobs, job: Job) -> None:
    """And what it was when all is scored; no stage where none stands out."""
    progress = JobProgress()
    async with _told(jobs, job, progress) as row:
        progress.planned(rows=10, shards=1)
        progress.enter("score")
        await until(lambda: jobs.job(job.id).counts.bound == "reading")
        progress.adopted(rows=10, quarantined=0)
        unclear = replace(WORK, bound=Bound("compute", 0.3, None, ()))
        await row.worked(unclear)
    assert jobs.job(job.id).counts.bound is None


async def test_servers_that_others_asked_too_are_paid_for_by_share(jobs: Jobs, job: Job) -> None:
    """Half of the requests were this run's: so is half of the time."""
    progress = JobProgress()
    async with _told(jobs, job, progress) as row:
        progress.planned(rows=10, shards=1)
        progress.adopted(rows=10, quarantined=0)
        await row.worked(replace(WORK, own_share=0.5))
    assert jobs.job(job.id).counts.compute_s == 0.75


async def test_a_run_hears_that_it_is_to_stop(jobs: Jobs, job: Job) -> None:
    """Between two words of its own; what was committed is counted."""
    progress = JobProgress()
    with pytest.raises(JobCancelled, match=rf"job {job.id} is cancelled; what is done is kept"):
        async with _told(jobs, job, progress):
            progress.planned(rows=10, shards=2)
            progress.advanced(0, rows=5, quarantined=0)
            progress.committed(0)
            jobs.ask_cancel(job.id, by="eve")
            await asyncio.sleep(3600)
    stopped = jobs.job(job.id)
    assert (stopped.state, stopped.counts.shards_done) == ("cancelled", 1)


async def test_a_cancelled_job_is_not_begun(jobs: Jobs, job: Job) -> None:
    """Neither one that ended so, nor one that is about to."""
    jobs.sent(job.id, 1, "r")
    jobs.ask_cancel(job.id, by="eve")
    for _ in range(2):
        with pytest.raises(JobCancelled):
            async with _told(jobs, job, JobProgress()):
                raise AssertionError("it was begun")
    assert jobs.job(job.id).state == "cancelled"


async def test_a_job_that_is_to_stop_is_not_published(jobs: Jobs, job: Job) -> None:
    """Though it was scored by then, and had not heard of it."""
    with pytest.raises(JobCancelled):
        async with _told(jobs, job, JobProgress(), interval_s=60) as row:
            jobs.ask_cancel(job.id, by="eve")
            await row.worked(NOTHING)
            raise AssertionError("it was published")
    assert jobs.job(job.id).state == "cancelled"


async def test_a_published_job_ends_published(jobs: Jobs, job: Job) -> None:
    """Who wants to cancel it is told that it is too late, whenever that is."""
    progress = JobProgress()
    async with _told(jobs, job, progress) as row:
        await row.worked(NOTHING)
        progress.enter("publish")
        with pytest.raises(MoveRefused):
            jobs.ask_cancel(job.id, by="eve")
        await asyncio.sleep(0.6)
    assert jobs.job(job.id).state == "completed"


async def test_a_cancel_that_the_run_could_not_hear_comes_too_late(
    store: MemoryStore, job: Job
) -> None:
    """The registry was away for the run when it began to publish; the row says so."""
    away = StoreAway(store)
    jobs, progress = Jobs(away), JobProgress()
    async with _told(jobs, job, progress) as row:
        away.is_away = True
        await row.worked(NOTHING)
        progress.enter("publish")
        away.is_away = False
        Jobs(store).ask_cancel(job.id, by="eve")
        await asyncio.sleep(0.6)
    done = jobs.job(job.id)
    assert (done.state, done.cancel_asked_at) == ("completed", None)
    assert "it was being published already when somebody asked to cancel it" in {
        event.why for event in jobs.events(job.id).items
    }


async def test_a_published_job_whose_report_fails_is_published(jobs: Jobs, job: Job) -> None:
    """The report describes the output and is no part of it."""
    progress = JobProgress()
    with pytest.raises(ValueError, match="the disk is full"):
        async with _told(jobs, job, progress) as row:
            await row.worked(NOTHING)
            progress.enter("publish")
            progress.enter("report")
            raise ValueError("the disk is full")
    done = jobs.job(job.id)
    assert (done.state, done.why) == ("completed", "without a report: the disk is full")


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (JobUnfinished(shards_left=1, shards=2, cause="away"), "paused"),
        (ValueError("two\nlines"), "failed"),
    ],
)
async def test_a_run_that_fails_says_why(
    jobs: Jobs, job: Job, error: Exception, state: str
) -> None:
    """In one line; when the servers stayed away it can be resumed."""
    with pytest.raises(type(error)):
        async with _told(jobs, job, JobProgress()):
            raise error
    told = jobs.job(job.id)
    assert (told.state, told.why) == (state, " ".join(str(error).split()))


async def test_a_run_that_was_given_up_ends(jobs: Jobs, job: Job) -> None:
    """Another one goes on with the job; this one says nothing for it."""
    with pytest.raises(AttemptOver):
        async with _told(jobs, job, JobProgress()):
            jobs.lose(job.id, 1, why="silent", most_lost=3)
            await asyncio.sleep(3600)
    assert (jobs.job(job.id).state, jobs.job(job.id).attempt) == ("queued", 2)
    with pytest.raises(AttemptOver):
        async with _told(jobs, job, JobProgress()):
            raise AssertionError("it was begun")


async def test_a_cancellation_from_elsewhere_leaves_the_row(jobs: Jobs, job: Job) -> None:
    """A worker that is stopped kills its runs: the API has another one go on."""

    async def run() -> None:
        async with _told(jobs, job, JobProgress()):
            await asyncio.sleep(3600)

    task = asyncio.create_task(run())
    await until(lambda: jobs.job(job.id).state == "planning")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert jobs.job(job.id).state == "planning"


async def test_an_outage_of_the_registry_stops_no_run(store: MemoryStore, job: Job) -> None:
    """What could not be told is told later."""
    away = StoreAway(store)
    jobs, progress = Jobs(away), JobProgress()
    async with _told(jobs, job, progress) as row:
        away.is_away = True
        progress.enter("score")
        await asyncio.sleep(0.6)
        await row.worked(NOTHING)
        away.is_away = False
    assert jobs.job(job.id).state == "completed"


async def test_a_published_job_stays_published(jobs: Jobs, job: Job) -> None:
    """Prefect may run it once more; its row does not go back."""
    async with _told(jobs, job, JobProgress()) as row:
        await row.worked(NOTHING)
    done = jobs.job(job.id)
    async with _told(jobs, job, JobProgress()) as row:
        await row.worked(NOTHING)
    assert jobs.job(job.id) == done
