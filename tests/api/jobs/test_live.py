"""Jobs as server-sent events."""

import asyncio
import json

from httpx import AsyncClient, Response

from tests.api.calls import kind_of
from tests.api.jobs.conftest import OpenJobs, submit
from tests.inference.scripted import until


async def test_a_stream_tells_each_change_and_ends_with_the_job(open_jobs: OpenJobs) -> None:
    """The job as it is comes at once; each event is the whole job."""
    heard = bytearray()
    async with open_jobs(heard, watch_every_s=0.01) as api:
        job = (await submit(api)).json()
        watching = asyncio.create_task(_watched(api, job["id"]))
        await until(lambda: b"event: job" in heard)
        cancelled = (await api.post(f"/v1/jobs/{job['id']}/cancel")).json()
        answer = await watching
        again = await _watched(api, job["id"])
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert _events(answer) == [("1", job), ("2", cancelled)]
    assert _events(again) == [("2", cancelled)]


async def test_streams_are_bounded(open_jobs: OpenJobs) -> None:
    """One too many is told so; one that ends makes room."""
    heard = bytearray()
    async with open_jobs(heard, watch_every_s=0.01, max_watchers=1) as api:
        job = (await submit(api)).json()
        watching = asyncio.create_task(_watched(api, job["id"]))
        await until(lambda: b"event: job" in heard)
        refused = await _watched(api, job["id"])
        await api.post(f"/v1/jobs/{job['id']}/cancel")
        await watching
        assert (await _watched(api, job["id"])).status_code == 200
    assert kind_of(refused) == (503, "too-many-watchers")


async def test_an_unknown_job_is_no_stream(open_jobs: OpenJobs) -> None:
    """A problem, as everywhere."""
    async with open_jobs() as api:
        assert kind_of(await _watched(api, "00000000000-00000000")) == (404, "unknown-job")


async def _watched(api: AsyncClient, job: str) -> Response:
    return await api.get(f"/v1/jobs/{job}/live")


def _events(answer: Response) -> list[tuple[str, object]]:
    found = []
    for block in answer.text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines())
        if lines.get("event") == "job":
            found.append((lines["id"], json.loads(lines["data"])))
    return found
