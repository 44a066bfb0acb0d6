"""Answer for jobs: submit them, see how they go."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Query, Request, Response

from api import errors
from api.answers import answered
from api.anywhere import ANYWHERE
from api.bodies import INVALID, MALFORMED, StrictRoute
from api.dependencies import Needs
from api.fields import NAME_PATTERN, WhoQuery
from api.gateway.authorization import requires
from api.gateway.principal import Principal
from api.gateway.refusals import OVER_QUOTA
from api.idempotency import KEY_MISSING, KEY_REUSED, IdempotencyKey
from api.jobs.problems import NO_PREFECT, OUTPUT_TAKEN, PLACE_REFUSED, QUEUE_FULL, UNKNOWN_JOB
from api.jobs.schemas import JobBody, JobEventBody, JobId
from api.jobs.taking_route import WRITE, taking
from api.pages import Asked
from api.pagination import BAD_CURSOR, Page
from api.problems import Refused, refusals
from inference.jobs import BatchJob
from registry.jobs import JobFilter, JobState

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=ANYWHERE, route_class=StrictRoute)


Submitter = Annotated[Principal, requires(WRITE)]

TAKING = (
    *(MALFORMED, KEY_MISSING, errors.UNKNOWN_MODEL, errors.UNKNOWN_VERSION, errors.UNKNOWN_ALIAS),
    *(OUTPUT_TAKEN, PLACE_REFUSED, KEY_REUSED, INVALID),
    *(QUEUE_FULL, OVER_QUOTA, NO_PREFECT, errors.UNAVAILABLE),
)
"""How a job that is submitted may be refused."""
EXAMPLE = {
    "model": "churn@champion",
    "input": "s3://lake/customers/",
    "output": "s3://lake/scores/",
    "max_quarantined_fraction": 0.01,
}


class JobsPage(Page[JobBody]):
    """One page of jobs, newest first."""


class JobEventsPage(Page[JobEventBody]):
    """One page of a job's history, newest first."""


@router.get(
    "",
    dependencies=[requires("jobs:read")],
    response_model=JobsPage,
    responses=refusals(BAD_CURSOR, INVALID),
)
def list_jobs(
    needs: Needs,
    asked: Asked,
    state: Annotated[
        list[JobState] | None, Query(max_length=len(JobState), description="Where they are.")
    ] = None,
    model: Annotated[str | None, Query(pattern=NAME_PATTERN, description="What scores.")] = None,
    by: WhoQuery = None,
) -> Response:
    """List jobs, newest first."""
    wanted = JobFilter(states=tuple(state or ()), model=model, submitted_by=by)
    filters = {"states": wanted.states, "model": model, "by": by}
    page = needs.desk.jobs.jobs(wanted, after=asked.after_text(**filters), limit=asked.size)
    bodies = (JobBody.of(job, needs.desk.settings) for job in page.items)
    return asked.answer(bodies, page.next, **filters)


@taking(
    router,
    "",
    status_code=HTTPStatus.CREATED,
    response_model=JobBody,
    responses=refusals(*TAKING),
)
async def submit_job(
    request: Request,
    needs: Needs,
    caller: Submitter,
    draft: Annotated[BatchJob, Body(examples=[EXAMPLE])],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Have a dataset scored; the answer comes at once, the job goes on by itself.

    Once it is answered it is kept: whatever dies, it runs. An alias is followed now, so every run
    of the job scores with the same version. The key counts for as long as the job is known; a
    repetition gets the job as it is then.
    """
    key, body = required(idempotency_key), await request.body()
    desk, by = needs.desk, caller.subject
    return await desk.take(lambda: desk.submit(draft, by=by, key=key, body=body))


@router.get(
    "/{job}",
    dependencies=[requires("jobs:read")],
    response_model=JobBody,
    responses=refusals(UNKNOWN_JOB, INVALID),
)
def get_job(needs: Needs, job: JobId) -> Response:
    """Return a job with how it goes."""
    return answered(JobBody.of(needs.desk.jobs.job(job), needs.desk.settings))


@router.get(
    "/{job}/events",
    dependencies=[requires("jobs:read")],
    response_model=JobEventsPage,
    responses=refusals(BAD_CURSOR, UNKNOWN_JOB, INVALID),
)
def list_events(needs: Needs, asked: Asked, job: JobId) -> Response:
    """List what happened to a job, newest first: each transition is an event."""
    page = needs.desk.jobs.events(job, after=asked.after_number(), limit=asked.size)
    return asked.answer(map(JobEventBody.of, page.items), page.next)


def required(key: str | None) -> str:
    """Return the key; raises `Refused` where there is none."""
    if key is None:
        raise Refused(KEY_MISSING, "send an Idempotency-Key of your own, for example a UUID")
    return key
