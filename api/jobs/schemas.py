"""Say what callers send and receive of jobs."""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import Path
from pydantic import BaseModel, Field

from api.fields import Text
from api.jobs.settings import JobsSettings
from api.models.schemas import Sent
from registry.jobs import Job, JobEvent, JobEventKind, JobState

JobId = Annotated[
    str,
    Path(
        pattern=r"^[0-9a-f]{11}-[0-9a-f]{8}$",
        description="The job's id.",
        examples=["1a2b3c4d5e6-0f1e2d3c"],
    ),
]
_SECONDS_AN_HOUR = 3600.0
_DETAILS = {
    JobState.QUEUED: "waits for a worker",
    JobState.PLANNING: "reads what there is to score",
    JobState.RUNNING: "is being scored",
    JobState.PAUSED: "is paused: parts that are committed stay, resume goes on from them",
    JobState.PUBLISHING: "is scored, its output is being published",
    JobState.COMPLETED: "is published",
    JobState.COMPLETED_WITH_ERRORS: "is published; rows that could not be scored are in the "
    "quarantine",
    JobState.FAILED: "failed: parts that are committed stay, resume goes on from them",
    JobState.CANCELLED: "is cancelled: parts that are committed stay, resume goes on from them",
}
_STOPPING = "is being cancelled: parts that are committed stay, resume goes on from them"


class RowsBody(BaseModel):
    """How many rows."""

    total: int = Field(description="Rows of the dataset; 0 before it is planned.")
    done: int = Field(description="Scored or quarantined, by earlier runs as well.")
    quarantined: int = Field(description="Those of them that could not be scored.")


class ShardsBody(BaseModel):
    """How many shards."""

    total: int = Field(description="Shards of the plan; 0 before there is one.")
    done: int = Field(description="Committed.")


class CostBody(BaseModel):
    """What the scoring cost, by the configured price."""

    amount: float
    currency: str


class LinksBody(BaseModel):
    """Where more is told; null where there is nothing yet."""

    self: str
    events: str = Field(description="What happened to the job.")
    live: str = Field(description="Server-sent events: the job each time it changes.")
    prefect_run: str | None = Field(description="The page of its present run.")
    manifest: str | None = Field(description="The file that names what was published.")
    report: str | None = Field(description="The page that tells of it.")
    quarantine: str | None = Field(description="Where rows lie that could not be scored.")


class JobBody(BaseModel):
    """A job with how it goes."""

    id: str
    state: JobState
    detail: str = Field(description="The state in words.")
    why: str = Field(description="Why it is there, where that is to be told.")
    model: str = Field(description="The registered model.")
    version: int = Field(description="The version that scores, pinned at submission.")
    job: dict[str, Any] = Field(description="What was submitted.")
    input: str
    output: str
    submitted_at: datetime
    submitted_by: str
    started_at: datetime | None
    ended_at: datetime | None
    attempt: int = Field(description="Which run it is: another one follows on resuming and deaths.")
    cancel_asked_at: datetime | None
    retry_of: str | None = Field(description="The job whose quarantine it scores.")
    rows: RowsBody
    shards: ShardsBody
    rate: float = Field(description="Rows per second of the present run, or of the last one.")
    eta_s: float | None = Field(description="Seconds that the rest takes at this rate.")
    bottleneck: str | None = Field(
        description="The stage that bounds the job, of what is committed so far; null where none "
        "stands out, and for a job of less than a second."
    )
    gpu_s: float = Field(
        description="Seconds that instances of the model worked for this job, as far as runs that "
        "ended told: those of its servers in that time, by its share of their requests."
    )
    cost: CostBody | None
    revision: int = Field(description="How many events it has had.")
    links: LinksBody

    @classmethod
    def of(cls, job: Job, settings: JobsSettings) -> Self:
        """Return what is told of a job."""
        counts = job.counts
        stopping = job.cancel_asked_at is not None and not job.is_finished
        return cls.model_construct(
            id=job.id,
            state=job.state,
            detail=_STOPPING if stopping else _DETAILS[job.state],
            why=job.why,
            model=job.model,
            version=job.version,
            job=dict(job.asked),
            input=job.asked["input"],
            output=job.output,
            submitted_at=job.submitted_at,
            submitted_by=job.submitted_by,
            started_at=job.started_at,
            ended_at=job.ended_at,
            attempt=job.attempt,
            cancel_asked_at=job.cancel_asked_at,
            retry_of=job.retry_of,
            rows=RowsBody(
                total=counts.rows_total, done=counts.rows_done, quarantined=counts.rows_quarantined
            ),
            shards=ShardsBody(total=counts.shards_total, done=counts.shards_done),
            rate=counts.rate,
            eta_s=None if job.is_finished else counts.eta_s,
            bottleneck=counts.bound,
            gpu_s=counts.compute_s,
            cost=_cost(counts.compute_s, settings),
            revision=job.revision,
            links=_links(job, settings),
        )


class JobEventBody(BaseModel):
    """One line of a job's history."""

    revision: int
    kind: JobEventKind
    at: datetime
    by: str
    state: JobState
    from_state: JobState | None
    attempt: int
    why: str

    @classmethod
    def of(cls, event: JobEvent) -> Self:
        """Return what is told of an event."""
        return cls.model_construct(
            revision=event.revision,
            kind=event.kind,
            at=event.at,
            by=event.by,
            state=event.state,
            from_state=event.from_state,
            attempt=event.attempt,
            why=event.why,
        )


class RetryDraft(Sent):
    """What differs from the job whose quarantine is scored."""

    output: Annotated[Text, Field(min_length=1, max_length=1024)] | None = Field(
        default=None, description="Beside the job's own output unless said otherwise."
    )
    max_quarantined_rows: int | None = Field(
        default=None,
        ge=0,
        description="Most rows that may be quarantined again; the job's own limit unless said "
        "otherwise.",
    )
    max_quarantined_fraction: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="Largest share of these rows that may be quarantined again; the job's own "
        "limit unless said otherwise.",
    )


def _cost(compute_s: float, settings: JobsSettings) -> CostBody | None:
    if settings.gpu_hour_price is None:
        return None
    amount = compute_s / _SECONDS_AN_HOUR * settings.gpu_hour_price
    return CostBody(amount=round(amount, 6), currency=settings.currency)


def _links(job: Job, settings: JobsSettings) -> LinksBody:
    here = f"/v1/jobs/{job.id}"
    published = job.state in {JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS}
    return LinksBody(
        self=here,
        events=f"{here}/events",
        live=f"{here}/live",
        prefect_run=settings.run_page(job.run_id),
        manifest=f"{job.output}/_manifest.json" if published else None,
        report=f"{job.output}/_report.html" if published else None,
        quarantine=f"{job.output}/_quarantine/" if job.counts.rows_quarantined else None,
    )
