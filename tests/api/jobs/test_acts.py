"""What is done with a job: cancelled, resumed, its quarantine scored again."""

from pathlib import Path

import pytest

from registry.job_book import Jobs
from registry.jobs import Counts, JobState
from registry.settings import RegistrySettings
from registry.store import open_store
from tests.api.calls import kind_of
from tests.api.jobs.conftest import DRAFT, OpenJobs, submit

_KEY = {"Idempotency-Key": "again"}


async def test_a_job_that_nobody_runs_is_cancelled_at_once(open_jobs: OpenJobs) -> None:
    """It says what stays; repeated, it is the same; resumed, it waits again."""
    async with open_jobs() as api:
        path = f"/v1/jobs/{(await submit(api)).json()['id']}"
        cancelled = await api.post(f"{path}/cancel", params={"why": "wrong input"})
        assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
        told = "is cancelled: parts that are committed stay, resume goes on from them"
        assert (cancelled.json()["detail"], cancelled.json()["why"]) == (told, "wrong input")
        assert (await api.post(f"{path}/cancel")).json() == cancelled.json()
        resumed = await api.post(f"{path}/resume")
        assert (resumed.status_code, resumed.json()["state"]) == (202, "queued")
        assert (resumed.json()["attempt"], resumed.json()["cancel_asked_at"]) == (2, None)
        assert (await api.post(f"{path}/resume")).json() == resumed.json()
        events = (await api.get(f"{path}/events")).json()["items"]
    assert [event["kind"] for event in events] == ["job.resumed", "job.moved", "job.submitted"]


async def test_what_is_published_is_final(open_jobs: OpenJobs, database: Path) -> None:
    """It can be neither cancelled nor resumed; its quarantine can be scored by another job."""
    async with open_jobs() as api:
        job_id = (await submit(api, max_quarantined_rows=9)).json()["id"]
        _publish(database, job_id, Counts(10, 10, 3, 1, 1, 5.0, 0.0, "compute", 1.5))
        path = f"/v1/jobs/{job_id}"
        job = (await api.get(path)).json()
        for act in ("cancel", "resume"):
            refused = await api.post(f"{path}/{act}")
            assert (kind_of(refused), refused.json()["state"]) == (
                (409, "job-state"),
                "completed_with_errors",
            )
        made = await api.post(f"{path}/quarantine/retry", json={}, headers=_KEY)
        again = await api.post(f"{path}/quarantine/retry", json={}, headers=_KEY)
        wanted = {"output": "s3://lake/other/", "max_quarantined_rows": 3}
        other = await api.post(
            f"{path}/quarantine/retry", json=wanted, headers={"Idempotency-Key": "other"}
        )
    assert (job["rate"], job["eta_s"], job["bottleneck"], job["gpu_s"]) == (
        5.0,
        None,
        "compute",
        1.5,
    )
    assert {name: job["links"][name] for name in ("manifest", "report", "quarantine")} == {
        "manifest": "s3://lake/out/_manifest.json",
        "report": "s3://lake/out/_report.html",
        "quarantine": "s3://lake/out/_quarantine/",
    }
    assert (made.status_code, made.json()["retry_of"]) == (201, job_id)
    assert made.json()["job"] == DRAFT | {
        "input": "s3://lake/out/_quarantine/",
        "output": "s3://lake/out-retried",
        "max_quarantined_rows": 9,
    }
    assert again.json() == made.json()
    assert (other.json()["job"]["output"], other.json()["job"]["max_quarantined_rows"]) == (
        "s3://lake/other",
        3,
    )


@pytest.mark.parametrize("state", ["failed", "cancelled"])
async def test_what_is_not_published_is_resumed_and_not_retried(
    open_jobs: OpenJobs, database: Path, state: str
) -> None:
    """Its quarantined rows are scored when it goes on; twice would be once too often."""
    async with open_jobs() as api:
        job_id = (await submit(api, max_quarantined_rows=9)).json()["id"]
        _publish(database, job_id, Counts(10, 10, 3, 1, 1, 5.0, 0.0), JobState(state))
        path = f"/v1/jobs/{job_id}/quarantine/retry"
        assert kind_of(await api.post(path, json={}, headers=_KEY)) == (409, "no-quarantine")


async def test_without_a_quarantine_there_is_nothing_to_retry(open_jobs: OpenJobs) -> None:
    """Nor is there before the job has ended."""
    async with open_jobs() as api:
        job_id = (await submit(api)).json()["id"]
        path = f"/v1/jobs/{job_id}/quarantine/retry"
        assert kind_of(await api.post(path, json={}, headers=_KEY)) == (409, "no-quarantine")
        nothing = path.replace(job_id, "00000000000-00000000")
        assert kind_of(await api.post(nothing, json={}, headers=_KEY)) == (404, "unknown-job")


async def test_a_price_makes_a_cost(open_jobs: OpenJobs, database: Path) -> None:
    """By the hour of a model instance at work."""
    async with open_jobs(gpu_hour_price=2.0, currency="EUR") as api:
        job_id = (await submit(api)).json()["id"]
        _publish(database, job_id, Counts(compute_s=900.0))
        job = (await api.get(f"/v1/jobs/{job_id}")).json()
    assert (job["state"], job["cost"]) == ("completed", {"amount": 0.5, "currency": "EUR"})


def _publish(database: Path, job_id: str, counts: Counts, state: JobState | None = None) -> None:
    """Do what the job's run does; published unless another end is told."""
    store = open_store(RegistrySettings(database_url=f"sqlite:///{database}"))
    jobs = Jobs(store)
    jobs.begin(job_id, 1, "6f2c2f6e-0000-4000-8000-000000000001")
    jobs.tell(job_id, 1, counts)
    errors = counts.rows_quarantined > 0
    published = JobState.COMPLETED_WITH_ERRORS if errors else JobState.COMPLETED
    jobs.move(job_id, 1, state or published, by="run")
    store.close()
