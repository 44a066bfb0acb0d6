"""The steps of a job as Prefect tasks: one call each, with its retries."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import task_run
from prefect.tasks import Task
from prefect.utilities.annotations import quote

from flows import resolution, scoring
from flows.bottleneck import Work
from flows.planning import JobPlan, plan_job
from flows.publication import publish_job
from flows.report_artifacts import show_report
from flows.report_data import JobReport
from flows.reporting import FinishedJob, write_report
from flows.rounds import Hand
from flows.runtime import Runtime
from flows.scoring_job import ScoringJob
from flows.shards.commit import Adopted, Committed
from flows.shards.errors import StoreUnavailable
from flows.shards.manifest import Manifest
from flows.threads import in_thread
from inference.errors import TransientError
from inference.jobs import BatchJob
from registry.domain import ModelVersion

T = TypeVar("T")


def whole(value: T) -> T:
    """Hand `value` to a task as it is: Prefect would look through all it holds for futures."""
    return cast(T, quote(value))


async def may_retry(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Say whether a failed try may succeed without anything being changed."""
    error = await state.aresult(raise_on_failure=False)
    return isinstance(error, TransientError | StoreUnavailable)


@task(name="resolve", cache_policy=NO_CACHE, persist_result=False)
async def resolve(runtime: Runtime, job: BatchJob) -> ModelVersion:
    """Pin the model version that the job names."""
    return await resolution.resolve(
        job.model, runtime.catalog, runtime.pool, wait_s=runtime.scoring.model_wait_s
    )


@task(name="plan", cache_policy=NO_CACHE, persist_result=False)
async def plan(runtime: Runtime, job: BatchJob, model: ModelVersion) -> JobPlan:
    """Decide what is scored, before anything is."""
    return await in_thread(
        plan_job, job, model, files=runtime.files, s3=runtime.s3, now=runtime.utc_now()
    )


@task(
    name="score-shards",
    task_run_name="shards from {first}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retry_condition_fn=may_retry,
    retry_jitter_factor=0.3,
)
async def score(job: ScoringJob, hand: Hand, scored: list[Committed | Adopted], first: int) -> None:
    """Score the shard in hand, then others for as long as a task run lasts; adds to `scored`.

    The flow says how often it is tried again, with which delays. Such a try scores the shard that
    was left in hand, and no other: each shard has all the tries.
    """
    tried = task_run.run_count or 1
    end = time.monotonic() + (job.scoring.task_s if tried == 1 else 0)
    while (shard := hand.take()) is not None:
        scored.append(await scoring.score_shard(job, shard, attempt=tried))
        hand.drop()
        if time.monotonic() >= end:
            return


@task(name="report", cache_policy=NO_CACHE, persist_result=False)
async def report(done: FinishedJob) -> JobReport:
    """Write the report beside the manifest and show it on the run's page."""
    told = await in_thread(write_report, done)
    await show_report(told)
    return told


@task(name="publish", cache_policy=NO_CACHE, persist_result=False)
async def publish(
    runtime: Runtime,
    job: BatchJob,
    plan: JobPlan,
    scored: Sequence[Committed | Adopted],
    work: Work,
    seconds: Mapping[str, float],
) -> Manifest:
    """Publish all parts at once."""
    stages = {stage.name: round(stage.busy_s, 6) for stage in work.stages}
    return await in_thread(
        publish_job,
        job,
        plan,
        scored,
        timings={**seconds, **stages},
        bound=work.bound,
        now=runtime.utc_now(),
        threads=runtime.files.footer_threads,
    )
