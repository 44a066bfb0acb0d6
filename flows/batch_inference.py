"""Score a dataset: resolve, plan, score, publish, report.

Start here. `batch_inference` is the Prefect flow that `nightshift score`, a deployment or a
plain call runs. Each step is a task of `flows.tasks`, and the work behind a step is in a module
that knows no Prefect. What was scored is decided by the parts in the output alone: run the same
job again, after whatever happened, and it continues from them. What an operator wants to know is
told to Prefect's run logger, beside what Prefect says itself of a task that it tries again.
"""

from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from typing import cast

from prefect import flow
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed

from flows import tasks
from flows.errors import TakenOver
from flows.job_row import JobRow, told_to_row
from flows.metering import Meter, bound_so_far
from flows.planning import JobPlan
from flows.progress import JobProgress
from flows.report_data import JobReport
from flows.reporting import FinishedJob
from flows.runtime import Runtime, open_runtime
from flows.scoring_here import scoring_job
from flows.shards.claim import withdraw_claim
from flows.shards.errors import StoreError
from flows.spreading import Scored, score_left
from flows.tasks import whole
from flows.threads import in_thread
from flows.watching import watched
from inference.jobs import BatchJob
from inference.tickets import Published, Ticket
from registry.domain import ModelVersion


@flow(name="batch-inference", flow_run_name="score {job.model}", persist_result=False)
async def batch_inference(job: BatchJob) -> JobReport:
    """Score a Parquet dataset with a registered model, exactly once.

    Raises what stands in the way as an error of one line: a `JobError`, `ShardError`,
    `MappingError`, `InferenceError` or `RegistryError`. Nothing is published then.
    """
    progress = JobProgress()
    log = get_run_logger()
    async with open_runtime() as runtime:
        progress.health = runtime.pool.health
        async with (
            _told(runtime, progress) as row,
            watched(progress, interval_s=runtime.scoring.progress_interval_s),
        ):
            model = await tasks.resolve(whole(runtime), job)
            log.info("scoring with %s (%s)", model, model.digest)
            progress.enter("plan")
            plan = await tasks.plan(whole(runtime), job, whole(model))
            progress.planned(rows=plan.rows, shards=len(plan.shards))
            log.info(
                "planned %d rows in %d shards, %d of them committed before",
                plan.rows,
                len(plan.shards),
                len(plan.committed),
            )
            progress.enter("score")
            meter = await Meter.begin(runtime.pool, model)
            scored = await _score(job, runtime, model, plan, progress)
            work = await meter.end(
                scored.parts,
                progress,
                runtime.scoring,
                processes=scored.processes,
                on_workers=scored.on_workers,
            )
            await row.worked(work)
            progress.enter("publish")
            manifest = await tasks.publish(
                whole(runtime),
                job,
                whole(plan),
                whole(scored.parts),
                whole(work),
                progress.seconds(),
            )
            log.info(
                "published %d rows at %s, %d in the quarantine",
                manifest.rows_ok,
                plan.output.uri,
                manifest.rows_quarantined,
            )
            progress.enter("report")
            seconds = progress.seconds()
            done = FinishedJob(job, model, plan, manifest, tuple(scored.parts), work, seconds)
            return _ended(await tasks.report(whole(done)))


def _ended(report: JobReport) -> JobReport:
    """Have the run's last state say what was published, also to those whom the row did not reach.

    Prefect takes a state for the end that it is, and hands its callers what it carries.
    """
    shards = report.shards_scored + report.shards_adopted
    told = Published(report.rows_in, report.rows_quarantined, shards)
    return cast(JobReport, Completed(message=told.words, data=report))


def _told(runtime: Runtime, progress: JobProgress) -> AbstractAsyncContextManager[JobRow]:
    """Tell the job's row in the registry, if it was submitted there, how its run goes."""
    return told_to_row(
        runtime.jobs,
        progress,
        bound_so_far=partial(bound_so_far, progress, runtime.scoring),
        ticket=Ticket.among(flow_run.tags),
        run_id=flow_run.id or "",
        interval_s=runtime.scoring.job_row_interval_s,
    )


async def _score(
    job: BatchJob, runtime: Runtime, model: ModelVersion, plan: JobPlan, progress: JobProgress
) -> Scored:
    """Score what is left of the plan; an output in which nothing was committed is given up."""
    try:
        shared = scoring_job(job, runtime, model, plan, progress)
        return await score_left(shared, plan, job)
    except TakenOver:
        raise
    except BaseException:
        with suppress(StoreError):  # the person is told what came first
            await in_thread(withdraw_claim, plan.output, plan.fingerprint)
        raise
