"""Stream how a job goes as server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from api.anywhere import ANYWHERE
from api.bodies import INVALID, StrictRoute
from api.dependencies import Needs
from api.errors import UNAVAILABLE
from api.gateway.authorization import requires
from api.gateway.gateway import Gateway
from api.jobs.desk import Desk
from api.jobs.problems import TOO_MANY_WATCHERS, UNKNOWN_JOB
from api.jobs.schemas import JobBody, JobId
from api.problems import Refused, refusals
from registry.errors import RegistryUnavailable

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=ANYWHERE, route_class=StrictRoute)

MEDIA_TYPE = "text/event-stream"
_SILENCE_S = 15.0
"""Between two lines of a stream: proxies cut what is silent for a minute."""
_RETRY_MS = 2000
"""After which a browser connects again."""


@router.get(
    "/{job}/live",
    dependencies=[requires("jobs:read")],
    response_class=StreamingResponse,
    responses={
        200: {"description": "Each `job` event has the job as JSON.", "content": {MEDIA_TYPE: {}}},
        **refusals(UNKNOWN_JOB, INVALID, TOO_MANY_WATCHERS, UNAVAILABLE),
    },
)
async def watch_job(request: Request, needs: Needs, job: JobId) -> StreamingResponse:
    """Send the job now and each time that it changes, until it is finished.

    An event's `id` is the job's revision. Whoever connects again gets the job as it is then.
    """
    desk = needs.desk
    await run_sync(desk.jobs.job, job)
    if desk.watchers.now >= desk.settings.max_watchers:
        words = f"{desk.settings.max_watchers} streams are open"
        raise Refused(TOO_MANY_WATCHERS, words, headers={"Retry-After": "5"})
    gateway = request.app.state.gateway
    assert isinstance(gateway, Gateway)
    told = _told(desk, job, lambda: gateway.departure.announced)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(told, media_type=MEDIA_TYPE, headers=headers)


async def _told(desk: Desk, job_id: str, is_leaving: Callable[[], bool]) -> AsyncIterator[str]:
    """Give the lines of the stream; ends when the job does, or this process is about to."""
    with desk.watchers.one_more():
        yield f"retry: {_RETRY_MS}\n\n"
        last, silent_s, finished = "", 0.0, False
        while not finished and not is_leaving():
            with suppress(RegistryUnavailable):  # the stream goes on when it is back
                job = await run_sync(desk.jobs.job, job_id)
                finished = job.is_finished
                body = JobBody.of(job, desk.settings).model_dump_json()
                if body != last:
                    last, silent_s = body, 0.0
                    yield f"id: {job.revision}\nevent: job\ndata: {body}\n\n"
            if finished:
                break
            await asyncio.sleep(desk.settings.watch_every_s)
            silent_s += desk.settings.watch_every_s
            if silent_s >= _SILENCE_S:
                silent_s = 0.0
                yield ": nothing new\n\n"
