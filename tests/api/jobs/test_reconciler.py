"""What keeps jobs and runs in step does when something is away, or one job is at fault."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from api.jobs.reconciler import Reconciler
from api.jobs.runs import Run, RunKind, RunsAway
from api.jobs.settings import JobsSettings
from inference.tickets import Published
from registry.domain import ModelRef
from registry.errors import RegistryUnavailable
from registry.job_book import Jobs
from registry.job_orders import Order
from registry.jobs import Counts, Job, JobState
from tests.contracts.memory_runs import MemoryRuns
from tests.contracts.memory_store import MemoryStore
from tests.contracts.store_away import StoreAway
from tests.contracts.test_store import FIRST, FLIGHTS

SETTINGS = JobsSettings(silent_s=60, look_every_s=5)


@dataclass(slots=True)
class Office:
    """A reconciler with all that it works with, and a clock that the test turns."""

    store: StoreAway
    jobs: Jobs
    runs: MemoryRuns
    now_s: float = 0.0
    later_s: float = 0.0

    def reconciler(self) -> Reconciler:
        """Return one whose day is as late as the test says, by the registry's own clock."""
        return Reconciler(
            self.jobs,
            self.runs,
            SETTINGS,
            clock=lambda: self.now_s,
            utc_now=lambda: datetime.now(UTC) + timedelta(seconds=self.later_s),
        )

    def submit(self, *names: str) -> list[Job]:
        """Submit a job for each name."""
        asked = [Order({}, ModelRef("flights", None, 1), f"/{name}", by="ada") for name in names]
        return [self.jobs.submit(order, most_unfinished=99)[0] for order in asked]

    def begin(self, *jobs: Job) -> None:
        """Have the run of each begin and speak."""
        for job in jobs:
            run_id = f"{job.id}/1"
            self.runs.runs[run_id] = Run(run_id, RunKind.RUNNING)
            self.jobs.begin(job.id, 1, run_id)

    def end(self, *jobs: Job) -> None:
        """Have each end without its run's knowing."""
        for job in jobs:
            self.jobs.move(job.id, 1, JobState.FAILED, by="test")

    def kinds(self, *jobs: Job) -> list[RunKind]:
        """Say what each one's first run is called."""
        return [self.runs.runs[f"{job.id}/1"].kind for job in jobs]


@pytest.fixture
def office() -> Office:
    there = MemoryStore()
    with there.writing() as rows:
        rows.add_model(FLIGHTS)
        rows.add_version(FIRST, content="1")
    store = StoreAway(there)
    return Office(store, Jobs(store), MemoryRuns())


async def test_a_silent_run_is_found_dead(office: Office) -> None:
    """Within a minute and a look; another run follows."""
    (job,), reconciler = office.submit("out"), office.reconciler()
    await reconciler.hand_over()
    office.begin(job)
    for office.now_s in range(0, 60, 5):
        await reconciler.look()
    assert office.kinds(job) == [RunKind.RUNNING]
    office.now_s = 60
    await reconciler.look()
    assert office.kinds(job) == [RunKind.CRASHED]
    assert (office.jobs.job(job.id).state, office.jobs.job(job.id).attempt) == ("queued", 2)


async def test_an_outage_of_the_registry_is_no_silence_of_a_run(office: Office) -> None:
    """Nobody could be heard meanwhile: the run may speak first, and is not called crashed."""
    (job,), reconciler = office.submit("out"), office.reconciler()
    await reconciler.hand_over()
    office.begin(job)
    await reconciler.look()
    office.store.is_away, office.now_s = True, 120
    with pytest.raises(RegistryUnavailable):
        await reconciler.look()
    office.store.is_away, office.now_s = False, 240
    await reconciler.look()
    assert office.kinds(job) == [RunKind.RUNNING]
    office.jobs.tell(job.id, 1, Counts(rows_total=1))
    office.now_s = 245
    await reconciler.look()
    assert (office.jobs.job(job.id).state, office.jobs.job(job.id).attempt) == ("planning", 1)


async def test_a_pause_of_the_api_is_no_silence_of_a_run(office: Office) -> None:
    """A machine that slept heard nobody either."""
    (job,), reconciler = office.submit("out"), office.reconciler()
    await reconciler.hand_over()
    office.begin(job)
    for office.now_s in (0, 3600, 3605):
        await reconciler.look()
    assert office.kinds(job) == [RunKind.RUNNING]


async def test_an_end_that_the_row_did_not_hear_is_told_whole(office: Office) -> None:
    """The registry was away when the run ended; Prefect has its last words."""
    (job,), reconciler = office.submit("out"), office.reconciler()
    await reconciler.hand_over()
    office.begin(job)
    office.jobs.tell(job.id, 1, Counts(rows_total=100, rows_done=40, shards_total=4, shards_done=1))
    words = Published(rows=100, quarantined=3, shards=4).words
    office.runs.runs[f"{job.id}/1"] = Run(f"{job.id}/1", RunKind.COMPLETED, words)
    await reconciler.look()
    done = office.jobs.job(job.id)
    told = Counts(rows_total=100, rows_done=100, rows_quarantined=3, shards_total=4, shards_done=4)
    assert (done.state, done.counts) == ("completed_with_errors", told)


async def test_a_run_that_dies_while_it_publishes_is_followed_by_another(office: Office) -> None:
    """Also when somebody cancelled it in Prefect: its output may be there already."""
    (job,), reconciler = office.submit("out"), office.reconciler()
    await reconciler.hand_over()
    office.begin(job)
    office.jobs.publish(job.id, 1)
    office.runs.runs[f"{job.id}/1"] = Run(f"{job.id}/1", RunKind.CANCELLED, "in the page")
    await reconciler.look()
    await reconciler.hand_over()
    again = office.jobs.job(job.id)
    assert (again.state, again.run_id) == ("publishing", f"{job.id}/2")


async def test_a_run_at_fault_holds_up_no_other(office: Office) -> None:
    """Neither one nor many: what failed is told, and comes last the next time."""
    jobs, reconciler = office.submit(*map(str, range(6))), office.reconciler()
    await reconciler.hand_over()
    office.begin(*jobs)
    office.end(*jobs)
    office.runs.broken = {f"{job.id}/1" for job in jobs[:4]}
    office.runs.tried.clear()
    for _ in range(2):
        office.later_s += 60
        with pytest.raises(ExceptionGroup) as caught:
            await reconciler.look()
        assert {type(error) for error in caught.value.exceptions} == {RunsAway}
    assert office.kinds(*jobs) == [*[RunKind.RUNNING] * 4, *[RunKind.FAILED] * 2]


async def test_a_job_that_cannot_be_handed_over_holds_up_no_other(office: Office) -> None:
    """The others go; this one is tried again."""
    jobs, reconciler = office.submit("0", "1", "2"), office.reconciler()
    office.runs.broken = {f"{jobs[0].id}/1"}
    with pytest.raises(ExceptionGroup) as caught:
        await reconciler.hand_over()
    assert list(map(str, caught.value.exceptions)) == [f"500 for {jobs[0].id}/1"]
    assert [office.jobs.job(job.id).run_id for job in jobs] == [
        None,
        *(f"{job.id}/1" for job in jobs[1:]),
    ]
    office.runs.broken.clear()
    await reconciler.hand_over()
    assert office.jobs.job(jobs[0].id).run_id == f"{jobs[0].id}/1"


async def test_who_is_away_is_not_asked_for_every_job(office: Office) -> None:
    """Each answer is waited for; three in a row say enough."""
    jobs, reconciler = office.submit(*map(str, range(9))), office.reconciler()
    office.runs.broken = {f"{job.id}/1" for job in jobs}
    with pytest.raises(ExceptionGroup):
        await reconciler.hand_over()
    assert len(office.runs.tried) <= 3 + SETTINGS.send_at_once - 1
