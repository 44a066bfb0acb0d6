"""Choose where the shards of a job are scored: in the job's own run, or on workers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from prefect.logging import get_run_logger

from flows.coordination import Coordination
from flows.kept_plan import keep_plan
from flows.planning import JobPlan
from flows.scoring_here import score_here
from flows.scoring_job import ScoringJob
from flows.shards.commit import Adopted, Committed
from flows.slice_runs import AWAY, SliceRuns, is_deployed, open_slice_runs, this_run
from flows.slice_settings import SliceSettings
from flows.slices import Slice, SliceBounds, cut_slices
from flows.threads import in_thread
from inference.jobs import BatchJob


@dataclass(frozen=True, slots=True)
class Scored:
    """What the scoring of a job came to."""

    parts: list[Committed | Adopted]
    """The shards that were left."""
    processes: int
    """Most processes that scored at the same time."""
    on_workers: bool
    """Whether these were runs of slices, beside this process."""


async def score_left(job: ScoringJob, plan: JobPlan, asked: BatchJob) -> Scored:
    """Score what is left of the plan, here or on workers. Raises what ends the job."""
    settings = SliceSettings()
    slices = _slices(plan, settings)
    async with _workers(settings, slices) as runs:
        if runs is None:
            if len(slices) > 1:
                get_run_logger().info("%d shards are scored in this run", len(plan.left))
            parts: list[Committed | Adopted] = []
            await score_here(job, plan.left, parts, of=len(plan.shards))
            return Scored(parts, processes=1, on_workers=False)
        get_run_logger().info("%d slices go to workers", len(slices))
        await in_thread(keep_plan, plan, asked, job.model)
        spread = Coordination(job, plan, slices, runs, settings, coordinator=this_run())
        return Scored(await spread.score(), spread.processes, on_workers=True)


def _slices(plan: JobPlan, settings: SliceSettings) -> tuple[Slice, ...]:
    bounds = SliceBounds(
        rows=settings.slice_rows,
        bytes=settings.slice_bytes,
        shards=settings.slice_shards,
        slices=settings.slices_most,
    )
    return cut_slices(plan.left, bounds)


@asynccontextmanager
async def _workers(
    settings: SliceSettings, slices: tuple[Slice, ...]
) -> AsyncIterator[SliceRuns | None]:
    """Open the way to the workers; None when the slices are scored here.

    1. Nothing is left, or the setting says here: here.
    2. A run that nobody deployed, or a single slice, unless the setting says workers: here.
    3. Prefect tells of no deployment of slices: here.
    4. No worker listens, unless the setting says workers: here.
    """
    spread = settings.score_on == "workers"
    alone = len(slices) == 1 or not is_deployed()
    if not slices or settings.score_on == "here" or (alone and not spread):
        yield None
    else:
        async with open_slice_runs(settings.slice_deployment) as runs:
            yield runs if spread or await _listens(runs) else None


async def _listens(runs: SliceRuns | None) -> bool:
    try:
        return runs is not None and await runs.have_worker()
    except AWAY:
        return False
