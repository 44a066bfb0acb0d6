"""Lay out the tables of jobs."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from registry.jobs import Counts, Job, JobEvent, JobEventKind, JobState
from registry.tables import Base, Id, Json, UtcDateTime, VersionRow

_ID_CHARS = 32
_OUTPUT_CHARS = 1024
"""Longest address of an output: S3 allows as much for a key, PostgreSQL can index it."""

JobId = String(_ID_CHARS).with_variant(String(_ID_CHARS, collation="C"), "postgresql")
"""Sorted by its letters' numbers in every database, so that pages go by time."""
Output = String(_OUTPUT_CHARS).with_variant(String(_OUTPUT_CHARS, collation="C"), "postgresql")
_UNFINISHED = text("ended_at IS NULL")
_UNSETTLED = text("settled_at IS NULL")


class JobRow(Base):
    """A job; its row lock orders what is told of it."""

    __tablename__ = "jobs"
    __table_args__ = (
        ForeignKeyConstraint(["model_id", "version"], [VersionRow.model_id, VersionRow.number]),
        Index(None, "model_id", "id"),
        Index(None, "state", "id"),
        Index(None, "submitted_by", "id"),
        Index(
            "uq_jobs_output",
            "output",
            unique=True,
            sqlite_where=_UNFINISHED,
            postgresql_where=_UNFINISHED,
        ),
        Index("ix_jobs_unsettled", "id", sqlite_where=_UNSETTLED, postgresql_where=_UNSETTLED),
    )

    id: Mapped[str] = mapped_column(JobId, primary_key=True)
    asked: Mapped[dict[str, Any]] = mapped_column(Json)
    model_id: Mapped[int] = mapped_column(Id)
    version: Mapped[int]
    output: Mapped[str] = mapped_column(Output)
    state: Mapped[str] = mapped_column(String(32))
    submitted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    submitted_by: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(String(64))
    request: Mapped[str | None] = mapped_column(String(64), unique=True)
    attempt: Mapped[int]
    attempts_lost: Mapped[int]
    run_id: Mapped[str | None] = mapped_column(String(36))
    cancel_asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    heard_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    why: Mapped[str] = mapped_column(Text)
    retry_of: Mapped[str | None] = mapped_column(JobId)
    revision: Mapped[int]
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    counts: Mapped[dict[str, Any]] = mapped_column(Json)

    def value(self, model: str) -> Job:
        """Return what the row says of a job that `model` scores."""
        return Job(
            model=model,
            state=JobState(self.state),
            counts=Counts(**self.counts),
            **{name: getattr(self, name) for name in _AS_THEY_ARE},
        )

    def keep(self, job: Job) -> None:
        """Say what may change of `job`."""
        for name in _CHANGING:
            setattr(self, name, getattr(job, name))
        self.state = job.state
        self.counts = asdict(job.counts)
        self.changed_at = job.changed_at or job.submitted_at


_FIXED = (
    "id",
    "asked",
    "version",
    "output",
    "submitted_at",
    "submitted_by",
    "fingerprint",
    "request",
    "retry_of",
)
_CHANGING = (
    "attempt",
    "attempts_lost",
    "run_id",
    "cancel_asked_at",
    "started_at",
    "ended_at",
    "heard_at",
    "settled_at",
    "why",
    "revision",
)
_AS_THEY_ARE = (*_FIXED, *_CHANGING, "changed_at")


class JobEventRow(Base):
    """One line of a job's history, never changed."""

    __tablename__ = "job_events"

    job_id: Mapped[str] = mapped_column(JobId, ForeignKey(JobRow.id), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(32))
    from_state: Mapped[str | None] = mapped_column(String(32))
    attempt: Mapped[int]
    why: Mapped[str] = mapped_column(Text)

    def value(self) -> JobEvent:
        """Return what the row says."""
        return JobEvent(
            job=self.job_id,
            revision=self.revision,
            kind=JobEventKind(self.kind),
            at=self.at,
            by=self.by,
            state=JobState(self.state),
            from_state=None if self.from_state is None else JobState(self.from_state),
            attempt=self.attempt,
            why=self.why,
        )


def row_of(job: Job, model_id: int) -> JobRow:
    """Return the row that keeps `job`."""
    fixed = {name: getattr(job, name) for name in _FIXED if name != "asked"}
    row = JobRow(**fixed, asked=dict(job.asked), model_id=model_id)
    row.keep(job)
    return row
