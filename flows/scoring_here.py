"""Score shards of a planned job in this process, as tasks of the flow run that it is."""

from collections.abc import Sequence
from dataclasses import replace

from prefect.logging import get_run_logger

from flows import tasks
from flows.budget import ErrorBudget
from flows.planning import JobPlan
from flows.progress import JobProgress
from flows.rounds import Hand, score_in_rounds
from flows.runtime import Runtime
from flows.scoring_job import ScoringJob
from flows.shards.commit import Adopted, Committed, PartRecord, part_key, read_part
from flows.shards.errors import NoSuchObject
from flows.shards.part_writer import scratch_folder
from flows.shards.types import Shard
from flows.tasks import whole
from inference.errors import TransientError
from inference.jobs import BatchJob
from registry.domain import ModelVersion


def scoring_job(
    job: BatchJob, runtime: Runtime, model: ModelVersion, plan: JobPlan, progress: JobProgress
) -> ScoringJob:
    """Bring together what all shards of the job share; the parts of earlier runs are counted.

    Raises `BudgetExceeded` when those quarantined too many rows already.
    """
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


def beside_others(job: ScoringJob) -> ScoringJob:
    """Return the job with a look for each shard's part before the shard is scored."""

    def find(shard: Shard) -> PartRecord | None:
        key = part_key(shard.index, job.fingerprint.digest)
        if job.output.stat(key) is None:
            return None
        try:
            return read_part(job.output, key)
        except NoSuchObject:  # removed in between, as damaged
            return None

    return replace(job, find_part=find)


async def score_here(
    job: ScoringJob, shards: Sequence[Shard], scored: list[Committed | Adopted], *, of: int
) -> None:
    """Score `shards` of a job of `of`, adding to `scored`.

    Retries within a round, rounds while the pool stays away. Raises as `score_in_rounds`.
    """
    settings = job.scoring
    score = tasks.score.with_options(
        retries=len(settings.task_retry_delays_s),
        retry_delay_seconds=list(settings.task_retry_delays_s),
    )
    log = get_run_logger()

    async def score_some(hand: Hand, first: Shard) -> None:
        try:
            await score(whole(job), whole(hand), whole(scored), first.index)
        except TransientError as error:
            log.warning("shard %d is deferred: %s", (hand.shard or first).index, error)
            raise

    job.pool.watch(job.model.served_name, job.model.served_version)
    await score_in_rounds(
        shards, score_some, of=of, in_flight=settings.shards_in_flight, rounds=settings.rounds
    )
