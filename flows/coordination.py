"""Have the slices of a job scored on workers, and watch what gets committed.

What is done is told by the parts in the output. The records of the runs and Prefect's states only
say where to look, and when a slice has to go out again.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

from prefect.logging import get_run_logger

from flows.budget import ErrorBudget
from flows.dispatch import Action, Dispatch, ScoreHere, Seen, Send
from flows.errors import TakenOver
from flows.planning import JobPlan
from flows.progress import JobProgress
from flows.rounds import first_error
from flows.scoring_here import beside_others, score_here
from flows.scoring_job import ScoringJob
from flows.shards.commit import PART_NAME, Adopted, Committed, PartRecord, part_key, read_part
from flows.shards.errors import NoSuchObject, StoreError
from flows.shards.object_store import ObjectStore
from flows.shards.slice_objects import (
    Lead,
    SliceRecord,
    give_up_lead,
    read_lead,
    read_record,
    record_prefix,
    run_of,
    take_lead,
)
from flows.slice_order import SliceOrder
from flows.slice_runs import AWAY, SliceRuns
from flows.slice_settings import SliceSettings
from flows.slices import Slice, as_ranges, from_ranges
from flows.threads import in_thread

_SENDERS = 4
"""Slices handed to Prefect's server at a time: it takes in about ten a second, however many."""
_PAUSE_S = 2.0
"""Before a slice that Prefect's server did not take is handed to it again."""
_LAST_S = 5.0
"""Longest wait, when all is scored, for slices that are just being handed out."""


class Coordination:
    """One job whose slices are scored by other runs; the plan is kept beside its output."""

    def __init__(
        self,
        job: ScoringJob,
        plan: JobPlan,
        slices: Sequence[Slice],
        runs: SliceRuns,
        settings: SliceSettings,
        *,
        coordinator: str,
    ) -> None:
        self._job = job
        self._plan = plan
        self._runs = runs
        self._settings = settings
        self._coordinator = coordinator
        self._log = get_run_logger()
        self._dispatch = Dispatch(
            slices,
            tries=settings.slice_tries,
            silence_s=settings.slice_silence_s,
            start_s=settings.slice_start_s,
            wait_s=settings.slice_wait_s,
            help_s=settings.slice_help_s,
            now=time.monotonic(),
        )
        self._outbox: asyncio.Queue[Send | None] = asyncio.Queue()
        self._parts: dict[int, PartRecord] = {}
        self._records: dict[int, SliceRecord] = {}
        self._etags: dict[str, str] = {}
        self._here: ScoringJob | None = None
        self._here_scored: list[Committed | Adopted] = []
        self._blind_since: float | None = None

    @property
    def processes(self) -> int:
        """Most processes that scored at the same time."""
        return max(self._dispatch.most_at_once, 1)

    async def score(self) -> list[Committed | Adopted]:
        """Return when every shard that was left has its part. Raises what ends the job.

        Runs that are still under way then, or when it raises, are told to stop.
        """
        digest = self._plan.fingerprint.digest
        await in_thread(take_lead, self._plan.output, digest, Lead(coordinator=self._coordinator))
        try:
            async with asyncio.TaskGroup() as tasks:
                senders = [tasks.create_task(self._send()) for _ in range(_SENDERS)]
                await self._watch(tasks)
                await self._end(senders)
        except BaseExceptionGroup as group:
            raise first_error(group) from group
        finally:
            await self._stop()
        self._job.progress.elsewhere(rows=0, quarantined=0)
        for record in self._records.values():
            self._job.progress.spent(record.stages)
        return [Committed(record) for record in self._parts.values()]

    async def _watch(self, tasks: asyncio.TaskGroup) -> None:
        """Look again and again, and do what follows from it."""
        self._act(self._dispatch.begin(time.monotonic()), tasks)
        while not self._dispatch.done:
            await asyncio.sleep(self._settings.slice_poll_s)
            try:
                seen = await self._look()
            except StoreError as error:
                self._blind(error)
            else:
                self._blind_since = None
                self._act(self._dispatch.decide(seen, time.monotonic()), tasks)

    def _blind(self, error: StoreError) -> None:
        """Wait for a store that is away, as the slices do; raises `error` when it stays away.

        Nothing is decided: a run whose record cannot be read is not silent.
        """
        now = time.monotonic()
        self._dispatch.missed(now)
        if self._blind_since is None:
            self._log.warning("what the slices did cannot be read: %s", error)
            self._blind_since = now
        if now - self._blind_since >= self._settings.slice_store_s:
            raise error

    def _act(self, actions: Iterable[Action], tasks: asyncio.TaskGroup) -> None:
        for action in actions:
            if isinstance(action, Send):
                if action.why:
                    self._log.warning("slice %d goes out again: %s", action.number, action.why)
                self._outbox.put_nowait(action)
            elif isinstance(action, ScoreHere):
                self._log.warning("no worker comes: slice %d is scored here", action.number)
                tasks.create_task(self._score_here(action))
            else:
                tasks.create_task(self._runs.release(action.run, dead=action.dead))

    async def _send(self) -> None:
        """Hand slices to Prefect's server, for as long as it takes; ends when it gets None."""
        while (send := await self._outbox.get()) is not None:
            while send.run in self._dispatch.live:
                try:
                    await self._runs.send(self._order(send))
                    if send.run not in self._dispatch.live:  # withdrawn while it was handed out
                        await self._runs.release(send.run, dead=False)
                    break
                except AWAY as error:
                    self._log.warning("slice %d is not handed out yet: %s", send.number, error)
                    await asyncio.sleep(_PAUSE_S)

    async def _end(self, senders: Sequence[asyncio.Task[None]]) -> None:
        """Have what is being handed out withdrawn, unless Prefect's server takes too long."""
        for _ in senders:
            self._outbox.put_nowait(None)
        _, late = await asyncio.wait(senders, timeout=_LAST_S)
        for sender in late:
            sender.cancel()

    def _order(self, send: Send) -> SliceOrder:
        return SliceOrder(
            output=self._plan.output.uri,
            fingerprint=self._plan.fingerprint.digest,
            coordinator=self._coordinator,
            number=send.number,
            run=send.run,
            shards=as_ranges(send.shards),
            backwards=send.backwards,
            quarantined_elsewhere=self._job.budget.spent,
        )

    async def _score_here(self, action: ScoreHere) -> None:
        """Score a slice in this process, with counters of its own, as a worker would."""
        budget = ErrorBudget(total_rows=0, max_fraction=None, max_rows=self._job.budget.allowed)
        budget.charge_elsewhere(self._job.budget.spent)
        self._here = replace(beside_others(self._job), budget=budget, progress=JobProgress())
        shards = [self._plan.shards[index] for index in action.shards]
        await score_here(self._here, shards, self._here_scored, of=len(self._plan.shards))
        self._job.progress.spent(self._here.progress.stages)
        self._here = None
        self._dispatch.was_scored_here(action.number)

    async def _look(self) -> Seen:
        """Find out what the runs do and which parts are new; count those. Raises `StoreError`."""
        live = self._dispatch.live
        try:
            states = await self._runs.states(live)
        except AWAY as error:
            self._log.warning("Prefect does not tell of the slices: %s", error)
            states = {}
        ended = any(state.phase == "ended" for state in states.values())
        for record in await in_thread(self._new_parts, set(live), ended):
            self._count(record)
        rows, quarantined = self._under_way(live)
        self._job.progress.elsewhere(rows=rows, quarantined=quarantined)
        return Seen(states, dict(self._records), self._parts.keys() | self._plan.committed.keys())

    def _new_parts(self, live: set[int], ended: bool) -> list[PartRecord]:
        """Read the records that changed, then the parts that are new; of dead runs too."""
        store, digest = self._plan.output, self._plan.fingerprint.digest
        lead = read_lead(store, digest)
        if lead is None or lead.coordinator != self._coordinator:
            raise TakenOver(store.uri)
        for info in store.list(record_prefix(digest, self._coordinator)):
            run = run_of(info.key)
            if run in live and self._etags.get(info.key) != info.etag:
                if (record := read_record(store, info.key)) is not None:
                    self._records[run] = record
                self._etags[info.key] = info.etag
        done = {index for record in self._records.values() for index in from_ranges(record.done)}
        done |= {scored.record.provenance.shard for scored in self._here_scored}
        if ended:
            done |= self._listed()
        new = sorted(done - self._parts.keys() - self._plan.committed.keys())
        with ThreadPoolExecutor(self._job.files.footer_threads) as threads:
            found = threads.map(lambda index: _part(store, part_key(index, digest)), new)
            return [part for part in found if part is not None]

    def _listed(self) -> set[int]:
        """Return the shards whose part has a name in the output."""
        fingerprint = self._plan.fingerprint.short
        names = [PART_NAME.match(info.key) for info in self._plan.output.list("part-")]
        return {int(name["shard"]) for name in names if name and name["fingerprint"] == fingerprint}

    def _count(self, record: PartRecord) -> None:
        """Count a part that another run committed; raises `BudgetExceeded`."""
        own = record.provenance
        self._parts[own.shard] = record
        self._job.progress.advanced(own.shard, rows=own.rows_in, quarantined=own.rows_quarantined)
        self._job.progress.committed(own.shard)
        self._job.budget.charge_counted(own.shard, own.reasons)

    def _under_way(self, live: Iterable[int]) -> tuple[int, int]:
        running = [self._records[run] for run in live if run in self._records]
        rows = sum(record.rows_under_way for record in running)
        quarantined = sum(record.quarantined_under_way for record in running)
        if self._here is not None:
            more = self._here.progress.under_way
            return rows + more[0], quarantined + more[1]
        return rows, quarantined

    async def _stop(self) -> None:
        """Tell the runs that nobody waits for them. Fails open: they harm nobody."""
        output, digest = self._plan.output, self._plan.fingerprint.digest
        with suppress(StoreError):
            await in_thread(give_up_lead, output, digest, self._coordinator)
        await asyncio.gather(*(self._runs.release(run, dead=False) for run in self._dispatch.live))


def _part(store: ObjectStore, key: str) -> PartRecord | None:
    """Read a part that a run told of; None when somebody has removed it since."""
    try:
        return read_part(store, key)
    except NoSuchObject:
        return None
