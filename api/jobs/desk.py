"""Take jobs in: only what lies in a store, and only where they can be run."""

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Response

from api.answers import answered
from api.idempotency import REPLAYED
from api.jobs import problems
from api.jobs.reconciler import Reconciler
from api.jobs.room import Room
from api.jobs.schemas import JobBody
from api.jobs.settings import JobsSettings
from api.problems import Refused
from inference.jobs import BatchJob
from inference.stores import Place, PlaceRefused, Stores
from registry.domain import ModelRef
from registry.job_book import Jobs
from registry.job_orders import Order
from registry.jobs import Job, JobState


@dataclass(slots=True)
class Count:
    """Counts what is under way in this process."""

    now: int = 0
    """How many there are."""

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Count one more for the length of the block."""
        self.now += 1
        try:
            yield
        finally:
            self.now -= 1


@dataclass(frozen=True, slots=True)
class Desk:
    """What answers requests for jobs."""

    jobs: Jobs
    """The registry's rules of jobs; called in threads."""
    stores: Stores
    """Where datasets may lie."""
    settings: JobsSettings
    """How jobs are taken."""
    reconciler: Reconciler | None
    """Hands them to Prefect; None where there is none."""
    room: Room
    """Says who may submit at this moment."""
    writers: CapacityLimiter
    """Bounds the threads that write submissions down."""
    watchers: Count = field(default_factory=Count)
    """Streams that are open."""

    async def take(self, submit: Callable[[], tuple[Job, bool]]) -> Response:
        """Answer with the job that `submit` makes, in a thread, where there is room for it now.

        Raises `Refused`, or as `submit` does.
        """
        with self.room.one_more():
            job, new = await run_sync(submit, limiter=self.writers)
        self.wake()
        headers = {"Location": f"/v1/jobs/{job.id}"} | ({} if new else {REPLAYED: "true"})
        body = JobBody.of(job, self.settings)
        return answered(body, status=HTTPStatus.CREATED, headers=headers)

    def submit(
        self, draft: BatchJob, *, by: str, key: str, body: bytes, retry_of: str | None = None
    ) -> tuple[Job, bool]:
        """Return the job, and whether it is new: `key` and `body` tell a repetition. Blocks.

        Raises `Refused`, or as `Jobs.submit` does.
        """
        self._require_prefect()
        output = self._place(draft.output, "output").root
        source = self._place(draft.input, "input").uri
        told = draft.model_copy(update={"input": source, "output": output})
        order = Order(
            asked=told.model_dump(mode="json", exclude_defaults=True),
            model=ModelRef.parse(draft.model),
            output=output,
            by=by,
            request=hashlib.sha256(f"{by}\n{retry_of or ''}\n{key}".encode()).hexdigest(),
            fingerprint=hashlib.sha256(body).hexdigest(),
            retry_of=retry_of,
        )
        return self.jobs.submit(order, most_unfinished=self.settings.max_unfinished)

    def retry(
        self, job_id: str, wanted: Mapping[str, Any], *, by: str, key: str, body: bytes
    ) -> tuple[Job, bool]:
        """Submit what the job has in its quarantine, with the fields `wanted`; see `submit`.

        Only what is published: a job that failed or was cancelled scores these rows when it goes
        on.
        """
        job = self.jobs.job(job_id)
        if job.state is not JobState.COMPLETED_WITH_ERRORS:
            raise Refused(
                problems.NO_QUARANTINE,
                f"job {job.id} is {job.state} with {job.counts.rows_quarantined} rows in its "
                "quarantine: nothing is to be retried",
            )
        again: Mapping[str, Any] = {
            **job.asked,
            "output": f"{job.output}-retried",
            **wanted,
            "input": f"{job.output}/_quarantine/",
        }
        draft = BatchJob.model_validate(again)
        return self.submit(draft, by=by, key=key, body=body, retry_of=job.id)

    def resume(self, job_id: str, *, by: str, why: str) -> Job:
        """Have the job go on; see `Jobs.resume`. Blocks."""
        self._require_prefect()
        most = self.settings.max_unfinished
        return self.jobs.resume(job_id, by=by, why=why, most_unfinished=most)

    def wake(self) -> None:
        """Have what was changed looked at now."""
        if self.reconciler is not None:
            self.reconciler.wake()

    def _require_prefect(self) -> None:
        if self.reconciler is None:
            raise Refused(
                problems.NO_PREFECT,
                "jobs are run by Prefect and none is named: set PREFECT_API_URL for this API",
            )

    def _place(self, uri: str, what: str) -> Place:
        try:
            return self.stores.place(uri)
        except PlaceRefused as error:
            raise Refused(problems.PLACE_REFUSED, f"the job's {what}: {error}") from error


@asynccontextmanager
async def open_desk(jobs: Jobs, stores: Stores, settings: JobsSettings) -> AsyncIterator[Desk]:
    """Open what answers requests for jobs; without a Prefect they can be looked at only."""
    async with AsyncExitStack() as stack:
        reconciler = None
        if settings.prefect_api_url:  # an empty variable names none
            opened = await run_sync(_importer)
            runs = await stack.enter_async_context(opened(settings.prefect_api_url))
            reconciler = Reconciler(jobs, runs, settings)
            await stack.enter_async_context(reconciler.running())
        room, writers = Room(most=settings.max_taking), CapacityLimiter(settings.write_at_once)
        yield Desk(jobs, stores, settings, reconciler, room, writers)


def _importer() -> Any:
    # Prefect takes seconds to import: whoever has none does not wait for it.
    from api.jobs.prefect_runs import opened_runs

    return opened_runs
