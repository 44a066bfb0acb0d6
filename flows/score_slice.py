"""Score a slice of a job in a run of its own, on whichever worker takes it.

The plan is read from beside the output, the shards are scored by the same code as in the job's own
run, and every few seconds a record beside the output says how far this is. Who sent the slice needs
no more: what was scored is decided by the parts alone.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from prefect import flow
from prefect.logging import get_run_logger
from pydantic import BaseModel

from flows import resolution
from flows.errors import SliceStopped
from flows.kept_plan import restore_plan
from flows.progress import JobProgress
from flows.runtime import Runtime, open_runtime
from flows.scoring_here import beside_others, score_here, scoring_job
from flows.shards.commit import Adopted, Committed
from flows.shards.errors import StoreError
from flows.shards.object_store import ObjectStore, open_store
from flows.shards.plan_file import read_plan
from flows.shards.slice_objects import Lead, SliceRecord, record_key, write_record
from flows.slice_ends import outcome_of, words_of
from flows.slice_order import SliceOrder
from flows.slice_settings import SliceSettings
from flows.slices import as_ranges, from_ranges
from flows.threads import in_thread
from inference.jobs import BatchJob


class SliceCounts(BaseModel):
    """What became of a slice in one run."""

    shards_scored: int
    """Parts that this run committed."""
    shards_found: int
    """Parts that others had committed."""
    rows_ok: int
    """Rows that this run scored."""
    rows_quarantined: int
    """Rows that it could not."""


@dataclass(slots=True)
class _State:
    """What the record of a run tells."""

    progress: JobProgress
    """The counters."""
    scored: list[Committed | Adopted] = field(default_factory=list)
    """Shards that are done."""
    beat: int = 0
    """Records written."""

    def record(self, outcome: str = "running", error: str = "") -> SliceRecord:
        """Say how far it is."""
        self.beat += 1
        rows, quarantined = self.progress.under_way
        return SliceRecord.model_validate(
            {
                "beat": self.beat,
                "done": as_ranges(done.record.provenance.shard for done in self.scored),
                "rows_under_way": rows,
                "quarantined_under_way": quarantined,
                "stages": self.progress.stages,
                "outcome": outcome,
                "error": error,
            }
        )


@flow(name="score-slice", persist_result=False)
async def score_slice(order: SliceOrder) -> SliceCounts:
    """Score some shards of a job that was planned by its own run.

    Raises what stands in the way, as the job's own run would; that one is told by the record.
    """
    async with open_runtime() as runtime:
        output = open_store(order.output, runtime.s3)
        state = _State(JobProgress())
        try:
            async with _told(output, order, state, beat_s=SliceSettings().slice_beat_s):
                await _score(order, runtime, output, state)
        finally:
            await in_thread(output.clear_scratch)
    own = [done.record.provenance for done in state.scored if isinstance(done, Committed)]
    counts = SliceCounts(
        shards_scored=len(own),
        shards_found=len(state.scored) - len(own),
        rows_ok=sum(part.rows_ok for part in own),
        rows_quarantined=sum(part.rows_quarantined for part in own),
    )
    get_run_logger().info("slice %d: %s", order.number, counts)
    return counts


async def _score(order: SliceOrder, runtime: Runtime, output: ObjectStore, state: _State) -> None:
    kept = await in_thread(read_plan, output, order.fingerprint)
    job = BatchJob.model_validate(kept.head.job)
    model = await resolution.resolve(
        kept.head.model, runtime.catalog, runtime.pool, wait_s=runtime.scoring.model_wait_s
    )
    plan = await in_thread(restore_plan, kept, model, output, s3=runtime.s3, now=runtime.utc_now())
    shared = scoring_job(job, runtime, model, plan, state.progress)
    shared.budget.charge_elsewhere(order.quarantined_elsewhere)
    shards = [plan.shards[index] for index in from_ranges(order.shards)]
    if order.backwards:
        shards.reverse()
    state.progress.planned(rows=sum(shard.rows for shard in shards), shards=len(shards))
    state.progress.enter("score")
    await score_here(beside_others(shared), shards, state.scored, of=len(plan.shards))


@asynccontextmanager
async def _told(
    output: ObjectStore, order: SliceOrder, state: _State, *, beat_s: float
) -> AsyncIterator[None]:
    """Write records while the block runs, and how it ended; end it when nobody waits for it."""
    key = record_key(order.fingerprint, order.coordinator, order.run)
    host = asyncio.current_task()
    assert host is not None
    stopped = ""

    async def tell(record: SliceRecord) -> Lead | None:
        return await in_thread(write_record, output, order.fingerprint, key, record)

    async def beat() -> None:
        nonlocal stopped
        while not stopped:
            with suppress(StoreError):  # a beat that is missed; the next one may get through
                stopped = _stop_reason(await tell(state.record()), order)
            if not stopped:
                await asyncio.sleep(beat_s)
        host.cancel()

    async def end(outcome: str, words: str = "") -> None:
        beating.cancel()  # and awaited: a record that is being written must not be the last
        await asyncio.gather(beating, return_exceptions=True)
        with suppress(StoreError):  # the run's own state in Prefect tells it too
            await tell(state.record(outcome, words))

    beating = asyncio.create_task(beat(), name="beat")
    try:
        yield
    except asyncio.CancelledError:
        await end("stopped", stopped or "the run was cancelled")
        if stopped:
            host.uncancel()
            raise SliceStopped(stopped) from None
        raise
    except BaseException as error:
        await end(outcome_of(error), words_of(error))
        raise
    await end("completed")


def _stop_reason(lead: Lead | None, order: SliceOrder) -> str:
    if lead is None:
        return "the run of the job that sent it has ended"
    if lead.coordinator != order.coordinator:
        return "another run of the job hands out its slices now"
    return ""
