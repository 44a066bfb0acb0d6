"""Check what every registry store promises of jobs: SQLite, PostgreSQL and the twin in memory."""

from dataclasses import replace
from datetime import timedelta

import pytest

from registry.jobs import Counts, Job, JobEvent, JobEventKind, JobFilter, JobState
from registry.port import Store
from tests.contracts.test_store import FIRST, FLIGHTS, NOON

JOB = Job(
    id="01-a",
    asked={"model": "flights@champion", "input": "s3://lake/in", "keep": ["a"]},
    model="flights",
    version=1,
    output="s3://lake/scores/a",
    state=JobState.QUEUED,
    submitted_at=NOON,
    submitted_by="ada",
    fingerprint="f" * 64,
    request="r" * 64,
    revision=1,
    changed_at=NOON,
)
EVENT = JobEvent("01-a", 1, JobEventKind.SUBMITTED, NOON, "ada", JobState.QUEUED, None, 1, "why")
DONE = replace(JOB, state=JobState.COMPLETED, ended_at=NOON)


def _fill(store: Store, *jobs: Job) -> None:
    with store.writing() as rows:
        rows.add_model(FLIGHTS)
        rows.add_version(FIRST, content="content")
        for job in jobs:
            rows.add_job(job)


def _ids(store: Store, wanted: JobFilter, after: str | None = None, limit: int = 9) -> list[str]:
    with store.reading() as rows:
        return [job.id for job in rows.jobs(wanted, after=after, limit=limit)]


def test_a_job_comes_back_as_it_was_given(store: Store) -> None:
    """By its id and by its request; others are None."""
    _fill(store, JOB)
    with store.reading() as rows:
        assert rows.job("01-a") == JOB
        assert rows.job_of_request("r" * 64) == JOB
        assert rows.job("01-b") is None
        assert rows.job_of_request("s" * 64) is None


def test_what_may_change_is_kept(store: Store) -> None:
    """A locked job takes every field that a run or the reconciler tells."""
    _fill(store, JOB)
    later = NOON + timedelta(seconds=7)
    told = replace(
        JOB,
        state=JobState.FAILED,
        attempt=3,
        attempts_lost=1,
        run_id="0" * 36,
        cancel_asked_at=NOON,
        started_at=NOON,
        ended_at=later,
        heard_at=later,
        settled_at=later,
        why="because",
        revision=9,
        changed_at=later,
        counts=Counts(10, 9, 1, 4, 3, 2.5, 0.4, "compute", 1.25),
    )
    with store.writing() as rows:
        assert rows.lock_job("01-a") == JOB
        rows.put_job(told)
        assert rows.job("01-a") == told
    with store.reading() as rows:
        assert rows.job("01-a") == told


def test_jobs_are_listed_newest_first(store: Store) -> None:
    """In pages, and by each filter."""
    _fill(
        store,
        JOB,
        replace(JOB, id="02-b", output="s3://lake/b", request=None, submitted_by="bob"),
        replace(DONE, id="03-c", request=None),
        replace(DONE, id="04-d", request=None, settled_at=NOON),
    )
    assert _ids(store, JobFilter()) == ["04-d", "03-c", "02-b", "01-a"]
    assert _ids(store, JobFilter(), after="03-c", limit=1) == ["02-b"]
    assert _ids(store, JobFilter(submitted_by="bob")) == ["02-b"]
    assert _ids(store, JobFilter(states=(JobState.COMPLETED,))) == ["04-d", "03-c"]
    assert _ids(store, JobFilter(unsettled=True)) == ["03-c", "02-b", "01-a"]
    assert _ids(store, JobFilter(model="flights"), limit=1) == ["04-d"]
    assert _ids(store, JobFilter(model="other")) == []


@pytest.mark.parametrize(
    ("output", "taken"),
    [
        ("s3://lake/scores/a", True),
        ("s3://lake/scores/a/b/c", True),
        ("s3://lake/scores", True),
        ("s3://lake", True),
        ("s3://lake/scores/a0", False),
        ("s3://lake/scores/a.b", False),
        ("s3://lake/scores/b", False),
        ("s3://lake/score", False),
        ("s3://la", False),
    ],
)
def test_outputs_meet_above_and_below(store: Store, output: str, taken: bool) -> None:
    """Only those of unfinished jobs; a name that begins alike is another place."""
    _fill(store, JOB, replace(DONE, id="02-b", request=None, output="s3://lake/scores/b"))
    with store.writing() as rows:
        rows.lock_submissions()
        assert rows.job_writing(output) == ("01-a" if taken else None)
        assert rows.count_unfinished() == 1


def test_events_are_listed_newest_first(store: Store) -> None:
    """In pages, each job's own."""
    other = replace(JOB, id="02-b", output="s3://lake/b", request=None)
    second = replace(EVENT, revision=2, kind=JobEventKind.MOVED, from_state=JobState.QUEUED)
    _fill(store, JOB, other)
    with store.writing() as rows:
        for event in (EVENT, second, replace(EVENT, job="02-b")):
            rows.add_job_event(event)
    with store.reading() as rows:
        assert rows.job_events("01-a", after=None, limit=None) == (second, EVENT)
        assert rows.job_events("01-a", after=2, limit=1) == (EVENT,)
        assert rows.job_events("03-c", after=None, limit=None) == ()
