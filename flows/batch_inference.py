"""Score a dataset: resolve, plan, score, publish, report.

Start here. `batch_inference` is the Prefect flow that `nightshift score`, a deployment or a
plain call runs. Each step is a task of `flows.tasks`, and the work behind a step is in a module
that knows no Prefect. What was scored is decided by the parts in the output alone: run the same
job again, after whatever happened, and it continues from them. What an operator wants to know is
told to Prefect's run logger, beside what Prefect says itself of a task that it tries again.
"""

from contextlib import suppress

from prefect import flow
from prefect.logging import get_run_logger

from flows import tasks
from flows.budget import ErrorBudget
from flows.metering import Meter
from flows.planning import JobPlan
from flows.progress import JobProgress
from flows.report_data import JobReport
from flows.reporting import FinishedJob
from flows.rounds import Hand, score_in_rounds
from flows.runtime import Runtime, open_runtime
from flows.scoring_job import ScoringJob
from flows.shards.claim import withdraw_claim
from flows.shards.commit import Adopted, Committed
from flows.shards.errors import StoreError
from flows.shards.part_writer import scratch_folder
from flows.shards.types import Shard
from flows.tasks import whole
from flows.threads import in_thread
from flows.watching import watched
from inference.errors import TransientError
from inference.jobs import BatchJob
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
        async with watched(progress, interval_s=runtime.scoring.progress_interval_s):
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
            work = await meter.end(scored, progress, runtime.scoring)
            progress.enter("publish")
            manifest = await tasks.publish(
                whole(runtime), job, whole(plan), whole(scored), whole(work), progress.seconds()
            )
            log.info(
                "published %d rows at %s, %d in the quarantine",
                manifest.rows_ok,
                plan.output.uri,
                manifest.rows_quarantined,
            )
            progress.enter("report")
            seconds = progress.seconds()
            done = FinishedJob(job, model, plan, manifest, tuple(scored), work, seconds)
            return await tasks.report(whole(done))


async def _score(
    job: BatchJob, runtime: Runtime, model: ModelVersion, plan: JobPlan, progress: JobProgress
) -> list[Committed | Adopted]:
    """Score what is left of the plan; an output in which nothing was committed is given up."""
    try:
        scoring_job = _scoring_job(job, runtime, model, plan, progress)
        return await _score_shards(scoring_job, plan)
    except BaseException:
        with suppress(StoreError):  # the person is told what came first
            await in_thread(withdraw_claim, plan.output, plan.fingerprint)
        raise


def _scoring_job(
    job: BatchJob, runtime: Runtime, model: ModelVersion, plan: JobPlan, progress: JobProgress
) -> ScoringJob:
    budget = ErrorBudget(
        total_rows=plan.rows,
        max_fraction=job.max_quarantined_fraction,
        max_rows=job.max_quarantined_rows,
    )
    for record in plan.committed.values():
        own = record.provenance
        progress.adopted(rows=own.rows_in, quarantined=own.rows_quarantined)
        budget.charge_counted(own.shard, own.reasons)
    return ScoringJob(
        dataset=plan.dataset,
        output=plan.output,
        model=model,
        mapping=plan.mapping,
        fingerprint=plan.fingerprint,
        allow_non_finite=job.allow_non_finite,
        pool=runtime.pool,
        buffers=runtime.buffers,
        readers=runtime.readers,
        budget=budget,
        progress=progress,
        scratch=scratch_folder(plan.output, runtime.files, plan.fingerprint.digest),
        scoring=runtime.scoring,
        files=runtime.files,
        utc_now=runtime.utc_now,
    )


async def _score_shards(job: ScoringJob, plan: JobPlan) -> list[Committed | Adopted]:
    """Score shards as tasks: retries within a round, rounds while the pool stays away."""
    settings = job.scoring
    score = tasks.score.with_options(
        retries=len(settings.task_retry_delays_s),
        retry_delay_seconds=list(settings.task_retry_delays_s),
    )
    scored: list[Committed | Adopted] = []
    log = get_run_logger()

    async def score_some(hand: Hand, first: Shard) -> None:
        try:
            await score(whole(job), whole(hand), whole(scored), first.index)
        except TransientError as error:
            log.warning("shard %d is deferred: %s", (hand.shard or first).index, error)
            raise

    job.pool.watch(job.model.served_name, job.model.served_version)
    await score_in_rounds(
        plan.left,
        score_some,
        of=len(plan.shards),
        in_flight=settings.shards_in_flight,
        rounds=settings.rounds,
    )
    return scored
