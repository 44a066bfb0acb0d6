"""Tell whoever watches how far a job is: an observer in this process, an artifact in Prefect."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import httpx
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.exceptions import PrefectException

from flows.progress import JobProgress, Snapshot, current_observer

_ARTIFACT_EVERY_S = 5.0
"""An update costs Prefect's server about 20 ms, and its page is read by people."""


@asynccontextmanager
async def watched(progress: JobProgress, *, interval_s: float) -> AsyncIterator[None]:
    """Tell of `progress` every `interval_s` for the length of the block, and when a phase begins.

    A block that fails or is cancelled is told no more of: its counters are taken back, while what
    it committed is kept.
    """
    observer = current_observer()
    artifact = _ProgressArtifact()
    host = asyncio.current_task()
    assert host is not None

    def observe() -> None:
        if observer is not None and not host.cancelling():
            observer(progress.snapshot())

    async def tell() -> None:
        while not host.cancelling():
            observe()
            await artifact.show(progress.snapshot())
            await asyncio.sleep(interval_s)

    progress.entered = observe
    telling = asyncio.create_task(tell(), name="progress")
    try:
        yield
    finally:
        progress.entered = None
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
    observe()
    await artifact.show(progress.snapshot(), last=True)


class _ProgressArtifact:
    """A progress bar on the run's page. Fails open: a Prefect server that is away for a while must
    not stop a job that scores."""

    def __init__(self) -> None:
        self._id: UUID | None = None
        self._shown_at = 0.0

    async def show(self, snapshot: Snapshot, *, last: bool = False) -> None:
        now = asyncio.get_running_loop().time()
        if not snapshot.rows_total or (now - self._shown_at < _ARTIFACT_EVERY_S and not last):
            return
        self._shown_at = now
        percent = 100.0 * snapshot.rows_done / snapshot.rows_total
        with suppress(httpx.HTTPError, PrefectException):
            if self._id is None:
                self._id = await acreate_progress_artifact(percent, description="Rows scored")
            else:
                await aupdate_progress_artifact(self._id, progress=percent)
