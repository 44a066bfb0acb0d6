"""Jobs by the rules: what a submission takes, what may follow on what, who may speak."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Barrier, Thread

import pytest

from registry.catalog import Catalog
from registry.conflicts import InUse
from registry.domain import ModelRef
from registry.errors import UnknownAlias, UnknownModel, UnknownVersion
from registry.job_book import Jobs
from registry.job_conflicts import (
    AttemptOver,
    MoveRefused,
    OutputTaken,
    QueueFull,
    RequestReused,
    UnknownJob,
)
from registry.job_orders import Order
from registry.jobs import (
    FINISHED,
    MOVES,
    RESUMABLE,
    Counts,
    Job,
    JobFilter,
    JobState,
    places_above,
)
from registry.port import Store
from registry.settings import RegistrySettings
from registry.store import open_store
from tests.contracts.memory_store import MemoryStore
from tests.contracts.test_store import FIRST, FLIGHTS

START = datetime(2026, 5, 3, 2, 0, tzinfo=UTC)
ORDER = Order(
    {"input": "s3://lake/in"}, ModelRef("flights", "champion", None), "s3://lake/out", by="ada"
)
RUN_ID = "6f2c2f6e-0000-4000-8000-000000000001"


def _ticks() -> Callable[[], datetime]:
    ticks = count(1)
    return lambda: START + timedelta(seconds=next(ticks))


@pytest.fixture
def store() -> MemoryStore:
    """A registry that has flights@1 and flights@2, champion at the first."""
    store = MemoryStore()
    with store.writing() as rows:
        rows.add_model(replace(FLIGHTS, protected=()))
        for number in (1, 2):
            rows.add_version(replace(FIRST, version=number), content=str(number))
    Catalog(store).set_alias("flights", "champion", 1)
    return store


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A registry on a real database that has flights@1."""
    url = f"sqlite:///{tmp_path}/registry.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    store = open_store(RegistrySettings(database_url=url))
    with store.writing() as rows:
        rows.add_model(FLIGHTS)
        rows.add_version(FIRST, content="1")
    yield store
    store.close()


@pytest.fixture
def jobs(store: MemoryStore) -> Jobs:
    return Jobs(store, now=_ticks())


def _submitted(jobs: Jobs, order: Order = ORDER, most: int = 10) -> Job:
    return jobs.submit(order, most_unfinished=most)[0]


def _began(jobs: Jobs) -> Job:
    job = _submitted(jobs)
    jobs.sent(job.id, 1, RUN_ID)
    return jobs.begin(job.id, 1, RUN_ID)


def _history(jobs: Jobs, job: Job) -> list[tuple[str, str]]:
    return [(event.kind, event.state) for event in jobs.events(job.id).items[::-1]]


def test_a_submission_pins_the_version(jobs: Jobs, store: MemoryStore) -> None:
    """The alias is followed once; its version cannot be deleted while the job is unfinished."""
    job = _submitted(jobs)
    catalog = Catalog(store)
    catalog.set_alias("flights", "champion", 2)
    assert (job.version, job.state, job.attempt) == (1, "queued", 1)
    assert jobs.job(job.id) == job
    with pytest.raises(InUse, match=f"job {job.id}"):
        catalog.delete_version("flights", 1)
    jobs.ask_cancel(job.id, by="ada")
    catalog.delete_version("flights", 1)


def test_what_is_not_registered_is_refused(jobs: Jobs) -> None:
    """Before anything is kept."""
    with pytest.raises(UnknownModel):
        _submitted(jobs, replace(ORDER, model=ModelRef("nothing", None, 1)))
    with pytest.raises(UnknownAlias):
        _submitted(jobs, replace(ORDER, model=ModelRef("flights", "night", None)))
    assert jobs.jobs().items == ()


def test_a_repetition_finds_the_first_job(jobs: Jobs) -> None:
    """The same request is one job; the same name for another one is refused."""
    order = replace(ORDER, request="r", fingerprint="f")
    first, new = jobs.submit(order, most_unfinished=10)
    assert (jobs.submit(order, most_unfinished=1), new) == ((first, False), True)
    with pytest.raises(RequestReused, match=first.id):
        jobs.submit(replace(order, fingerprint="g"), most_unfinished=10)


def test_one_unfinished_job_writes_at_a_place(jobs: Jobs) -> None:
    """Nor below or above it; a finished one is in nobody's way."""
    first = _submitted(jobs)
    for output in ("s3://lake/out", "s3://lake/out/x", "s3://lake"):
        with pytest.raises(OutputTaken, match=first.id):
            _submitted(jobs, replace(ORDER, output=output))
    jobs.ask_cancel(first.id, by="ada")
    _submitted(jobs)


def test_the_queue_has_an_end(jobs: Jobs) -> None:
    """Unfinished jobs are counted, and finished ones make room."""
    first = _submitted(jobs, most=1)
    with pytest.raises(QueueFull, match="1 jobs are unfinished"):
        _submitted(jobs, replace(ORDER, output="s3://lake/other"), most=1)
    jobs.ask_cancel(first.id, by="ada")
    _submitted(jobs, replace(ORDER, output="s3://lake/other"), most=1)


def test_a_job_goes_its_way(jobs: Jobs) -> None:
    """Every transition is an event; counts are none."""
    job = _began(jobs)
    jobs.move(job.id, 1, JobState.RUNNING, by="run")
    told = jobs.tell(job.id, 1, Counts(rows_total=10, rows_done=5))
    jobs.move(job.id, 1, JobState.PUBLISHING, by="run")
    done = jobs.move(job.id, 1, JobState.COMPLETED, by="run")
    assert told.counts == done.counts == Counts(rows_total=10, rows_done=5)
    assert (done.revision, done.started_at is None, done.ended_at is None) == (6, False, False)
    assert _history(jobs, job) == [
        ("job.submitted", "queued"),
        ("job.sent", "queued"),
        ("job.moved", "planning"),
        ("job.moved", "running"),
        ("job.moved", "publishing"),
        ("job.moved", "completed"),
    ]
    with pytest.raises(MoveRefused, match="completed, from where it cannot go on to: cancel"):
        jobs.ask_cancel(job.id, by="ada")
    with pytest.raises(MoveRefused, match="resume"):
        jobs.resume(job.id, by="ada", most_unfinished=10)
    assert jobs.begin(job.id, 1, RUN_ID) == done


def test_a_job_that_is_published_is_not_cancelled(jobs: Jobs) -> None:
    """Who comes too late is told so; who came before has it end before anything is published."""
    job = _began(jobs)
    assert jobs.publish(job.id, 1).state == "publishing"
    with pytest.raises(MoveRefused) as late:
        jobs.ask_cancel(job.id, by="eve")
    assert str(late.value) == (
        f"job {job.id} is being published, which is not cancelled any more: its output is there in "
        "a moment, delete it if nobody shall read it"
    )
    with pytest.raises(MoveRefused):
        jobs.move(job.id, 1, JobState.CANCELLED, by="reconciler")
    assert jobs.publish(job.id, 1) == jobs.job(job.id)
    assert jobs.move(job.id, 1, JobState.COMPLETED, by="run").state == "completed"


def test_a_wish_to_cancel_comes_before_the_publication_or_too_late(jobs: Jobs) -> None:
    """A run that published while the registry was away has it taken back."""
    job = _began(jobs)
    jobs.ask_cancel(job.id, by="eve")
    with pytest.raises(MoveRefused):
        jobs.publish(job.id, 1)
    told = jobs.publish(job.id, 1, begun=True)
    assert (told.state, told.cancel_asked_at) == ("publishing", None)
    assert told.why == "it was being published already when somebody asked to cancel it"


def test_a_job_whose_run_dies_while_it_publishes_stays_at_that(jobs: Jobs) -> None:
    """Its output may be there: the next run finds out, and nobody cancels it meanwhile."""
    job = _began(jobs)
    jobs.publish(job.id, 1)
    lost = jobs.lose(job.id, 1, why="killed", most_lost=3)
    assert (lost.state, lost.attempt, lost.run_id) == ("publishing", 2, None)
    with pytest.raises(MoveRefused):
        jobs.ask_cancel(job.id, by="eve")
    jobs.sent(job.id, 2, RUN_ID)
    assert jobs.begin(job.id, 2, RUN_ID).state == "publishing"


def test_a_running_job_is_asked_to_stop(jobs: Jobs) -> None:
    """Its run hears of it with what it tells next, and ends it; repeated, nothing happens."""
    job = _began(jobs)
    asked = jobs.ask_cancel(job.id, by="eve", why="wrong input")
    assert (asked.state, asked.cancel_asked_at is None) == ("planning", False)
    assert jobs.ask_cancel(job.id, by="ada") == asked
    assert jobs.tell(job.id, 1, Counts()).cancel_asked_at is not None
    with pytest.raises(MoveRefused, match="resume"):
        jobs.resume(job.id, by="ada", most_unfinished=10)
    jobs.move(job.id, 1, JobState.CANCELLED, by="run")
    assert jobs.ask_cancel(job.id, by="ada").state == "cancelled"
    with pytest.raises(MoveRefused):
        jobs.begin(job.id, 1, RUN_ID)


def test_a_resumed_job_is_another_attempt(jobs: Jobs, store: MemoryStore) -> None:
    """With the same version; the run that was, may not speak any more."""
    job = _began(jobs)
    jobs.ask_cancel(job.id, by="eve")
    jobs.move(job.id, 1, JobState.CANCELLED, by="run")
    again = jobs.resume(job.id, by="ada", most_unfinished=1)
    assert (again.attempt, again.state, again.run_id, again.version) == (2, "queued", None, 1)
    assert again.cancel_asked_at is None
    assert jobs.resume(job.id, by="ada", most_unfinished=1) == again
    with pytest.raises(AttemptOver, match=r"run 1 of job .* was given up, run 2 goes on"):
        jobs.tell(job.id, 1, Counts())
    with pytest.raises(InUse):
        Catalog(store).delete_version("flights", 1)


def test_resuming_takes_the_output_again(jobs: Jobs) -> None:
    """Which another job may have by now."""
    first = _submitted(jobs)
    jobs.ask_cancel(first.id, by="ada")
    second = _submitted(jobs)
    with pytest.raises(OutputTaken, match=second.id):
        jobs.resume(first.id, by="ada", most_unfinished=10)


def test_a_run_that_dies_is_followed_by_another(jobs: Jobs) -> None:
    """So often and no more; then the job failed and says so."""
    job = _began(jobs)
    for attempt in (1, 2):
        lost = jobs.lose(job.id, attempt, why="its worker died", most_lost=2)
        assert (lost.state, lost.attempt, lost.run_id) == ("queued", attempt + 1, None)
    failed = jobs.lose(job.id, 3, why="its worker died", most_lost=2)
    assert failed.state == "failed"
    assert failed.why == "its worker died; given up after 3 runs that died"
    assert jobs.resume(job.id, by="ada", most_unfinished=9).attempts_lost == 0


def test_a_run_that_dies_while_it_is_cancelled_is_cancelled(jobs: Jobs) -> None:
    """Nobody wants another one."""
    job = _began(jobs)
    jobs.ask_cancel(job.id, by="ada")
    assert jobs.lose(job.id, 1, why="killed", most_lost=2).state == "cancelled"


def test_a_failed_run_may_be_run_again_by_prefect(jobs: Jobs, store: MemoryStore) -> None:
    """It is the same attempt, and holds what it held."""
    job = _began(jobs)
    jobs.move(job.id, 1, JobState.FAILED, by="run", why="no such input")
    assert jobs.begin(job.id, 1, RUN_ID).state == "planning"
    with pytest.raises(InUse):
        Catalog(store).delete_version("flights", 1)


def test_a_failed_run_whose_version_is_gone_is_not_run_again(
    jobs: Jobs, store: MemoryStore
) -> None:
    """Nothing held the version since the job failed; the job stays as it is."""
    job = _began(jobs)
    failed = jobs.move(job.id, 1, JobState.FAILED, by="run", why="no such input")
    catalog = Catalog(store)
    catalog.set_alias("flights", "champion", 2)
    catalog.delete_version("flights", 1)
    with pytest.raises(UnknownVersion):
        jobs.begin(job.id, 1, RUN_ID)
    assert (jobs.job(job.id), catalog.uses("flights")) == (failed, ())


def test_ends_that_agree_are_settled(jobs: Jobs) -> None:
    """Until then the reconciler looks at the job."""
    job = _began(jobs)
    jobs.settle(job.id, 1)
    assert [each.id for each in jobs.jobs(JobFilter(unsettled=True)).items] == [job.id]
    jobs.move(job.id, 1, JobState.COMPLETED, by="run")
    jobs.settle(job.id, 1)
    assert jobs.jobs(JobFilter(unsettled=True)).items == ()


def test_unknown_jobs_are_named(jobs: Jobs) -> None:
    """With where to look."""
    with pytest.raises(UnknownJob, match=r"there is no job 'x': see them with `nightshift jobs"):
        jobs.job("x")


def test_every_state_has_its_ways() -> None:
    """None leads to itself; what may be resumed leads back to the queue."""
    assert set(MOVES) == set(JobState)
    assert all(state not in to for state, to in MOVES.items() if state in FINISHED)
    assert all(JobState.QUEUED in MOVES[state] for state in RESUMABLE)
    assert places_above("/a/b") == ("/a/b", "/a", "")


def test_of_many_who_write_at_one_place_one_may(database: Store) -> None:
    """Sixteen submit at once, half of them one request: one job comes of each."""
    jobs, start = Jobs(database), Barrier(16)
    order = replace(ORDER, model=ModelRef("flights", None, 1))
    ends: list[str] = []

    def submit(n: int) -> None:
        mine = replace(order, output="s3://lake/b", request="same") if n % 2 else order
        start.wait()
        try:
            ends.append(jobs.submit(mine, most_unfinished=10)[0].id)
        except OutputTaken:
            ends.append("taken")

    threads = [Thread(target=submit, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = jobs.jobs().items
    assert len(found) == 2
    assert sorted(ends) == sorted(["taken"] * 7 + [_id(found, "out")] + [_id(found, "b")] * 8)


def test_a_failed_run_waits_for_who_takes_its_output(database: Store) -> None:
    """Prefect runs it again while another job is submitted for its place: one of them has it."""
    jobs = Jobs(database)
    job = _submitted(jobs, replace(ORDER, model=ModelRef("flights", None, 1)))
    failed = jobs.move(job.id, 1, JobState.FAILED, by="run")
    other = replace(job, id="another", output="s3://lake/out/below")
    with ThreadPoolExecutor(1) as pool:
        with database.writing() as rows:
            rows.lock_submissions()
            assert rows.job_writing(other.output) is None
            begun = pool.submit(jobs.begin, job.id, 1, RUN_ID)
            wait([begun], timeout=0.3)
            rows.add_job(other)
        with pytest.raises(OutputTaken, match="another"):
            begun.result(30)
    assert (jobs.job(job.id), jobs.job("another")) == (failed, other)


def _id(found: tuple[Job, ...], name: str) -> str:
    (job,) = (job for job in found if job.output.endswith(f"/{name}"))
    return job.id
