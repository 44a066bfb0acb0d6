"""Answer to what is done with a job: cancel, resume, score its quarantine again."""

from http import HTTPStatus
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Body, Request, Response

from api import errors
from api.answers import answered
from api.anywhere import ANYWHERE
from api.bodies import INVALID, StrictRoute
from api.dependencies import Needs
from api.fields import Why
from api.gateway.refusals import OVER_QUOTA
from api.idempotency import IdempotencyKey
from api.jobs.problems import (
    MOVE_REFUSED,
    NO_PREFECT,
    NO_QUARANTINE,
    OUTPUT_TAKEN,
    QUEUE_FULL,
    UNKNOWN_JOB,
)
from api.jobs.routes import TAKING, Submitter, required
from api.jobs.schemas import JobBody, JobId, RetryDraft
from api.problems import refusals

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=ANYWHERE, route_class=StrictRoute)


@router.post(
    "/{job}/cancel",
    status_code=HTTPStatus.ACCEPTED,
    response_model=JobBody,
    responses=refusals(UNKNOWN_JOB, MOVE_REFUSED, INVALID),
)
def cancel_job(needs: Needs, caller: Submitter, job: JobId, why: Why = "") -> Response:
    """Have a job end before it is done.

    Parts that are committed stay, and a job that is resumed goes on from them. One that no worker
    has is cancelled at once; a running one within seconds. Safe to repeat.
    """
    desk = needs.desk
    found = desk.jobs.ask_cancel(job, by=caller.subject, why=why)
    return answered(JobBody.of(found, desk.settings), status=HTTPStatus.ACCEPTED)


@router.post(
    "/{job}/resume",
    status_code=HTTPStatus.ACCEPTED,
    response_model=JobBody,
    responses=refusals(
        *(UNKNOWN_JOB, errors.UNKNOWN_MODEL, errors.UNKNOWN_VERSION, MOVE_REFUSED, OUTPUT_TAKEN),
        *(INVALID, QUEUE_FULL, OVER_QUOTA, NO_PREFECT, errors.UNAVAILABLE),
    ),
)
async def resume_job(needs: Needs, caller: Submitter, job: JobId, why: Why = "") -> Response:
    """Have a job go on that was paused, failed or was cancelled; what is committed is kept.

    Safe to repeat: a job that is under way is left alone.
    """
    desk, by = needs.desk, caller.subject
    found = await run_sync(lambda: desk.resume(job, by=by, why=why))
    desk.wake()
    return answered(JobBody.of(found, desk.settings), status=HTTPStatus.ACCEPTED)


@router.post(
    "/{job}/quarantine/retry",
    status_code=HTTPStatus.CREATED,
    response_model=JobBody,
    responses=refusals(UNKNOWN_JOB, NO_QUARANTINE, *TAKING),
)
async def retry_quarantine(
    request: Request,
    needs: Needs,
    caller: Submitter,
    job: JobId,
    draft: Annotated[RetryDraft, Body(examples=[{"output": "s3://lake/scores-again/"}])],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Score only the rows that a published job could not, as a job of its own.

    With the model as the job named it, so that an alias that was moved since counts.
    """
    key, body = required(idempotency_key), await request.body()
    desk, by = needs.desk, caller.subject
    retry, wanted = desk.retry, draft.model_dump(exclude_none=True)
    return await desk.take(lambda: retry(job, wanted, by=by, key=key, body=body))
