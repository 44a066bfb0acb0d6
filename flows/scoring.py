"""Score one shard: read, infer, write, commit.

Three stages overlap. A thread decodes Parquet straight into tensors, several requests are at the
servers, and a thread appends the answers to the part, in the order of the input. Every queue is
bounded, so memory depends on the settings and never on the dataset.
"""

import asyncio
import uuid
from collections import Counter
from contextlib import closing

from flows.answers import answer_group
from flows.microbatches import Microbatch, MicrobatchReader, microbatch_size
from flows.profile import Profiles
from flows.rounds import first_error
from flows.scoring_job import ScoringJob
from flows.shards.attempt import commit_attempt
from flows.shards.commit import Adopted, Committed, part_key
from flows.shards.part_writer import PartWriter
from flows.shards.provenance import Provenance
from flows.shards.quarantine import QuarantineFile, quarantine_key, write_quarantine
from flows.shards.row_lengths import restore_order
from flows.shards.types import QuarantinedRow, ScoredBatch, Shard
from flows.stopwatch import Stopwatch
from flows.threads import in_pool, in_thread
from inference.shared_memory import Buffer


async def score_shard(job: ScoringJob, shard: Shard, *, attempt: int) -> Committed | Adopted:
    """Score the rows of `shard` and commit its part, or adopt the part of an earlier attempt.

    Safe to repeat. When it raises, the counters are as before: a `TransientError` of the pool (try
    again later), `BudgetExceeded`, a `ShardError` of input or output, or another `InferenceError`
    (permanent). Nothing was committed then, but for two cases: a cancellation, or a `StoreError`
    for want of a clear answer, may come after the commit. The next attempt adopts that part.
    """
    try:
        if job.find_part and (found := await in_thread(job.find_part, shard)):
            job.progress.adopted(
                rows=found.provenance.rows_in, quarantined=found.provenance.rows_quarantined
            )
            return Adopted(found)
        return await _Attempt(job, shard, attempt).run()
    except BaseException as error:
        job.progress.restarted(shard.index)
        job.budget.forget(shard.index)
        if isinstance(error, BaseExceptionGroup):
            raise first_error(error) from error
        raise


class _Attempt:
    """One try of one shard; its stages run at the same time."""

    def __init__(self, job: ScoringJob, shard: Shard, attempt: int) -> None:
        self._job = job
        self._shard = shard
        self._attempt = attempt
        self._write_id = uuid.uuid4().hex
        self._watch = Stopwatch()
        self._size = microbatch_size(
            job.mapping,
            job.scoring,
            max_batch_size=job.model.signature.max_batch_size,
            row_bytes=shard.bytes // shard.rows,
        )
        self._profiles = Profiles.of(job.mapping)
        self._quarantined: list[QuarantinedRow] = []
        self._leased: set[Buffer] = set()
        # The answers wait in the order of the input; a full queue holds the reader back.
        self._answers: asyncio.Queue[asyncio.Task[ScoredBatch] | None] = asyncio.Queue(
            job.scoring.microbatches_in_flight
        )

    async def run(self) -> Committed | Adopted:
        """Score and commit."""
        writer = PartWriter(self._job.mapping.output_schema, self._job.scratch, self._job.files)
        try:
            async with asyncio.TaskGroup() as stages:
                stages.create_task(self._feed(stages))
                stages.create_task(self._collect(writer))
            done = await in_thread(self._commit, writer)
        finally:
            writer.discard()
            # Those of requests that were cancelled, some before they began.
            for buffer in tuple(self._leased):
                await self._release(buffer)
        self._job.progress.committed(self._shard.index)
        self._job.progress.spent(self._watch.seconds(), self._watch.processor_seconds())
        return done

    async def _feed(self, stages: asyncio.TaskGroup) -> None:
        """Read microbatches and send each on its way."""
        job = self._job
        reader = MicrobatchReader(
            job.dataset.store, self._shard, job.mapping, size=self._size, watch=self._watch
        )
        with closing(reader):
            while True:
                buffer = await self._lease()
                microbatch = await in_pool(job.readers, reader.next, buffer)
                if microbatch is None:
                    break
                await self._answers.put(stages.create_task(self._infer(microbatch, buffer)))
        await self._answers.put(None)

    async def _infer(self, microbatch: Microbatch, buffer: Buffer) -> ScoredBatch:
        """Have the rows of a microbatch scored; the buffer is theirs until they are."""
        start = microbatch.row_start
        try:
            with self._watch.stage("infer"):
                answers = [
                    await answer_group(
                        self._job, self._shard, group, row_start=start, buffer=buffer
                    )
                    for group in microbatch.groups
                ]
        finally:
            await self._release(buffer)
        columns = restore_order([(answer.columns, answer.positions) for answer in answers])
        quarantined = [row for answer in answers for row in answer.quarantined]
        return ScoredBatch(columns, tuple(sorted(quarantined, key=lambda row: row.row)))

    async def _lease(self) -> Buffer:
        buffer = await self._job.buffers.lease(self._size.buffer_bytes)
        self._leased.add(buffer)
        return buffer

    async def _release(self, buffer: Buffer) -> None:
        self._leased.discard(buffer)
        await self._job.buffers.release(buffer)

    async def _collect(self, writer: PartWriter) -> None:
        """Append the answers to the part, in order."""
        while (task := await self._answers.get()) is not None:
            scored = await task
            reasons = [row.reason for row in scored.quarantined]
            self._job.budget.charge(self._shard.index, reasons)
            self._quarantined += scored.quarantined
            await in_thread(self._append, writer, scored)
            self._job.progress.advanced(
                self._shard.index,
                rows=scored.columns.num_rows + len(reasons),
                quarantined=len(reasons),
            )

    def _append(self, writer: PartWriter, scored: ScoredBatch) -> None:
        with self._watch.work("write"):
            writer.write(scored.columns)
            self._profiles.add(scored.columns)

    def _commit(self, writer: PartWriter) -> Committed | Adopted:
        """Publish the quarantined rows, then the part that names them."""
        job, shard = self._job, self._shard
        key = part_key(shard.index, job.fingerprint.digest)
        with self._watch.work("commit"):
            quarantine = self._write_quarantine(quarantine_key(key, self._write_id))
        provenance = Provenance.of(
            shard,
            write_id=self._write_id,
            fingerprint=job.fingerprint.digest,
            rows_ok=writer.rows,
            rows_quarantined=len(self._quarantined),
            quarantine=quarantine.key if quarantine else None,
            quarantine_sha256=quarantine.sha256 if quarantine else None,
            model=str(job.model),
            model_digest=job.model.digest,
            attempt=self._attempt,
            written_at=job.utc_now(),
            reasons=Counter(row.reason for row in self._quarantined),
            outputs=self._profiles.to_json(),
            timings=self._watch.seconds(),
        )
        with self._watch.work("write"):
            path = writer.finish(provenance.to_metadata())
        with self._watch.work("commit"):
            return commit_attempt(job.output, job.fingerprint, key, path, self._write_id)

    def _write_quarantine(self, key: str) -> QuarantineFile | None:
        if not self._quarantined:
            return None
        job = self._job
        return write_quarantine(
            job.dataset.store,
            job.output,
            self._shard,
            self._quarantined,
            key=key,
            schema=job.dataset.schema,
            partition_schema=job.dataset.partition_schema,
            scratch_dir=job.scratch,
            settings=job.files,
        )
