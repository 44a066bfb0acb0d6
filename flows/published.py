"""Tell of a job whose output is published already, without a server."""

from datetime import datetime

from flows.bottleneck import Work
from flows.planning import JobPlan
from flows.publication import publish_job
from flows.report_data import JobReport
from flows.reporting import FinishedJob, write_report
from inference.jobs import BatchJob
from registry.domain import ModelVersion


def tell_published(
    job: BatchJob, model: ModelVersion, plan: JobPlan, *, now: datetime, threads: int
) -> JobReport | None:
    """Return the report of a published output that was verified; None when rows are left to score.

    What a run that was killed after publishing left undone, the marker or the page, is done.
    Blocks. Raises as `publish_job`.
    """
    if plan.claim.published is None:
        return None
    manifest = publish_job(job, plan, [], timings={}, now=now, threads=threads)
    nothing = Work(stages=(), bound=None, foreign_requests=0)
    done = FinishedJob(job, model, plan, manifest, (), nothing, seconds={"score": 0.0})
    return write_report(done)
