"""Score each night's partition once, and the nights that were missed."""

from datetime import date
from typing import Literal

from prefect import flow
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import BaseModel

from flows.batch_inference import batch_inference
from flows.errors import NightsFailed
from flows.nights import NightlyJob, asked_nights
from flows.shards.claim import JOB_NAME, JobRecord
from flows.shards.dataset import open_dataset
from flows.shards.errors import EmptyDataset, NoSuchInput, NoSuchObject, ShardError
from flows.shards.manifest import read_manifest
from flows.shards.object_store import ObjectStore, open_store
from flows.shards.settings import S3Settings, ShardSettings
from flows.threads import in_thread
from inference.jobs import BatchJob
from registry.domain import ModelRef


class Night(BaseModel):
    """What became of one night."""

    date: date
    """Its date."""
    outcome: Literal["published before", "no data", "scored", "failed"]
    """What this run found or did."""
    words: str = ""
    """Counts, or why it failed."""


@flow(name="nightly", persist_result=False)
async def nightly(
    nightly: NightlyJob, first: date | None = None, last: date | None = None
) -> list[Night]:
    """Score the night that the run was scheduled for, after those that were missed.

    A night with a published output is passed over; one that fails does not keep the later ones
    from being scored. Without data, a past night is passed over as well, while the last one of a
    scheduled run fails: its data is late. Raises `NightsFailed`, when all were looked at.

    Args:
        nightly: What is scored, where a day begins and how many missed nights are caught up on.
        first: Score the nights from this date on instead, up to `last`; that night alone
            without `last`.
        last: The last night to score.
    """
    log = get_run_logger()
    moment = flow_run.scheduled_start_time
    asked = list(asked_nights(nightly, moment, first, last))
    done = []
    for date_, job in asked:
        is_due = first is None and last is None and date_ == asked[-1][0]
        done.append(await _night(date_, job, is_due=is_due))
        log.info("%s: %s %s", date_, done[-1].outcome, done[-1].words)
    failed = [night for night in done if night.outcome == "failed"]
    if failed:
        raise NightsFailed([f"{night.date} ({night.words})" for night in failed])
    return done


async def _night(night: date, job: BatchJob, *, is_due: bool) -> Night:
    """Score one night unless that was done; what is damaged of it is no other night's matter."""
    try:
        return await _scored(night, job, is_due=is_due)
    except ShardError as error:
        return Night(date=night, outcome="failed", words=str(error))


async def _scored(night: date, job: BatchJob, *, is_due: bool) -> Night:
    """Score one night unless that was done; a job of its own, as a run below this one.

    Raises `ShardError` when its dataset or its output cannot even be looked at.
    """
    s3 = S3Settings()
    output = open_store(job.output, s3)
    if await in_thread(read_manifest, output):
        return Night(date=night, outcome="published before")
    try:
        await in_thread(open_dataset, job.input, s3, ShardSettings(), most_files=1)
    except (NoSuchInput, EmptyDataset):
        if is_due:
            raise
        return Night(date=night, outcome="no data")
    pinned = await in_thread(_begun_with, output, job)
    state = await batch_inference(pinned, return_state=True)
    told = await state.aresult(raise_on_failure=False)
    if isinstance(told, BaseException):
        return Night(date=night, outcome="failed", words=str(told) or type(told).__name__)
    words = f"{told.rows_ok:,} rows with {told.model}, {told.rows_quarantined:,} quarantined"
    return Night(date=night, outcome="scored", words=words)


def _begun_with(output: ObjectStore, job: BatchJob) -> BatchJob:
    """Have an unfinished night finished with the version that it began with.

    The alias may have moved since; what the night has committed would have to be thrown away.
    """
    model = ModelRef.parse(job.model).name
    for info in output.list("_job-"):
        if not JOB_NAME.match(info.key):
            continue
        try:
            began = JobRecord.model_validate_json(output.read(info.key)).fingerprint.model
        except (ValueError, NoSuchObject):
            continue
        if began.name == model:
            return job.model_copy(update={"model": f"{began.name}@{began.version}"})
    return job
