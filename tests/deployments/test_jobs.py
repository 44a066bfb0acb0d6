"""Jobs over REST on a real Prefect server, a real worker and a real Triton."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from prefect.client.orchestration import get_client

from api.app import create_app
from api.jobs.settings import JobsSettings
from cli.stack.prefect_server import LocalPrefect
from inference.store_settings import StoreSettings, StoresSettings
from tests.api import tokens
from tests.api.conftest import settings_for
from tests.deployments.processes import kill_run
from tests.deployments.test_slices import manifest
from tests.deployments.workers import settings_here, worker
from tests.flows.workplace import PLATFORM_MARKS, Workplace, held

# Three runs, each in a process of its own that imports Prefect.
pytestmark = [*PLATFORM_MARKS, pytest.mark.slow, pytest.mark.timeout(1200)]

Job = dict[str, Any]


@asynccontextmanager
async def opened_api(workplace: Workplace, prefect: LocalPrefect) -> AsyncIterator[AsyncClient]:
    """Give a client of the API on the workplace's registry, which takes what lies there."""
    here = settings_for(workplace.folder / "registry.db", "127.0.0.1:9")
    jobs = JobsSettings(prefect_api_url=prefect.api_url, look_every_s=0.5, ending_s=5.0)
    stores = StoresSettings(stores={"here": StoreSettings(prefixes=(workplace.root,))})
    app = create_app(replace(here, jobs=jobs, stores=stores))
    transport = ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=transport, base_url="http://n", headers=tokens.bearer()) as client,
    ):
        yield client


async def submitted(api: AsyncClient, workplace: Workplace, output: str) -> str:
    """Submit the workplace's dataset; return where the job is."""
    job = workplace.job(output=output).model_dump(mode="json", exclude_defaults=True)
    answer = await api.post("/v1/jobs", json=job, headers={"Idempotency-Key": output})
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


async def awaited(api: AsyncClient, path: str, wanted: Callable[[Job], bool]) -> Job:
    """Wait until the job is as `wanted`."""
    end = time.monotonic() + 400
    while True:
        job: Job = (await api.get(path)).json()
        if wanted(job):
            return job
        assert time.monotonic() < end, job
        await asyncio.sleep(0.1)


def is_in(*states: str) -> Callable[[Job], bool]:
    """Return what tells whether a job is in one of the states."""
    return lambda job: job["state"] in states


def prefect_says(job: Job) -> str:
    """Return where Prefect has the job's present run."""
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(job["links"]["prefect_run"].rpartition("/")[2])
    assert any(tag.startswith(f"nightshift-job/{job['id']}/") for tag in run.tags)
    assert run.state is not None
    return run.state.type.value.lower()


async def agreed(job: Job, state: str) -> None:
    """Wait until Prefect calls the job's run so."""
    end = time.monotonic() + 120
    while prefect_says(job) != state:
        assert time.monotonic() < end, prefect_says(job)
        await asyncio.sleep(0.2)


async def test_a_job_that_is_cancelled_midway_goes_on_when_it_is_resumed(
    workplace: Workplace, deployed: str, prefect_api: LocalPrefect, servers_dir: Path
) -> None:
    """It is seen in Prefect, keeps what it committed, and ends as the undisturbed job does."""
    log = servers_dir / "job-worker.log"
    with worker(prefect_api, workplace.folder, log, settings=settings_here()):
        async with opened_api(workplace, prefect_api) as api:
            with held() as last:
                expected = workplace.numbers(files=12, last=last)
                path = await submitted(api, workplace, "scores")
                job = await awaited(api, path, lambda job: job["shards"]["done"] > 2)
                assert (job["state"], prefect_says(job)) == ("running", "running")
                asked = (await api.post(f"{path}/cancel")).json()
                told = "is being cancelled: parts that are committed stay"
                assert asked["detail"].startswith(told)
                stopped = await awaited(api, path, is_in("cancelled"))
            assert 2 < stopped["shards"]["done"] < 24
            assert not workplace.is_published()
            await agreed(stopped, "cancelled")
            await api.post(f"{path}/resume")
            done = await awaited(api, path, is_in("completed", "failed"))
            other = await submitted(api, workplace, "undisturbed")
            await awaited(api, other, is_in("completed", "failed"))
            await agreed(done, "completed")
            events = (await api.get(f"{path}/events")).json()["items"]
    assert workplace.scores() == workplace.scores("undisturbed") == expected
    assert manifest(workplace, "scores") == manifest(workplace, "undisturbed")
    rows = {"total": 1200, "done": 1200, "quarantined": 0}
    assert (done["rows"], done["shards"]) == (rows, {"total": 24, "done": 24})
    assert (done["attempt"], done["gpu_s"] > 0) == (2, True)
    states = [event["state"] for event in reversed(events) if event["kind"] == "job.moved"]
    assert states == [
        *("planning", "running", "cancelled"),
        *("planning", "running", "publishing", "completed"),
    ]


async def test_a_run_that_is_killed_is_followed_by_another(
    workplace: Workplace, deployed: str, prefect_api: LocalPrefect, servers_dir: Path
) -> None:
    """Without anybody's doing; what was committed is not scored again."""
    log = servers_dir / "killed-worker.log"
    with ExitStack() as workers:
        workers.enter_context(worker(prefect_api, workplace.folder, log, settings=settings_here()))
        async with opened_api(workplace, prefect_api) as api:
            with held() as last:
                expected = workplace.numbers(files=8, last=last)
                path = await submitted(api, workplace, "scores")
                job = await awaited(api, path, lambda job: job["shards"]["done"] > 2)
                with get_client(sync_client=True) as client:
                    run = client.read_flow_run(job["links"]["prefect_run"].rpartition("/")[2])
                assert kill_run(run)
            done = await awaited(api, path, is_in("completed", "failed", "cancelled"))
    assert (done["state"], done["attempt"]) == ("completed", 2)
    assert workplace.scores() == expected
