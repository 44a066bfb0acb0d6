"""Say what is asked for when a job is submitted, without I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registry.domain import ModelRef
from registry.job_conflicts import RequestReused
from registry.jobs import Job, JobState, new_job_id


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for when a job is submitted."""

    asked: Mapping[str, Any]
    """The job contract, JSON values."""
    model: ModelRef
    """What scores."""
    output: str
    """Where it writes, in canonical form."""
    by: str
    """Who asks."""
    request: str | None = None
    """Names the request; None for one that is never repeated."""
    fingerprint: str = ""
    """Hash of the request, by which its repetition is told from another one."""
    retry_of: str | None = None
    """The job whose quarantine it scores."""

    def job(self, version: int, *, now: datetime, drawn: str) -> Job:
        """Return the job that the order becomes, with its first event to come."""
        return Job(
            id=new_job_id(now, drawn),
            asked=self.asked,
            model=self.model.name,
            version=version,
            output=self.output,
            state=JobState.QUEUED,
            submitted_at=now,
            submitted_by=self.by,
            fingerprint=self.fingerprint,
            request=self.request,
            retry_of=self.retry_of,
            revision=1,
            changed_at=now,
        )

    def require_same(self, job: Job) -> Job:
        """Return the job of an earlier order; raises `RequestReused` unless that was this one."""
        if job.fingerprint != self.fingerprint:
            raise RequestReused(job.id)
        return job
