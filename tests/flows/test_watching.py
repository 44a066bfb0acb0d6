"""Check what is told of a job while it runs."""

import asyncio

import pytest

from flows.progress import JobProgress, Snapshot, observed_by
from flows.watching import watched

LONG_S = 3600.0


async def test_a_phase_is_told_when_it_begins() -> None:
    """However long the time between two looks is."""
    told: list[Snapshot] = []
    progress = JobProgress()
    with observed_by(told.append):
        async with watched(progress, interval_s=LONG_S):
            for phase in ("plan", "score", "publish"):
                progress.enter(phase)
            assert [each.phase for each in told] == ["plan", "score", "publish"]
    assert told[-1] == progress.snapshot()


async def test_a_failed_job_is_told_no_more_of() -> None:
    """Its shards take back the rows that were not committed."""
    told: list[Snapshot] = []
    progress = JobProgress()
    with observed_by(told.append), pytest.raises(KeyError):
        async with watched(progress, interval_s=LONG_S):
            progress.enter("score")
            progress.advanced(0, rows=5, quarantined=0)
            progress.enter("score")
            progress.restarted(0)
            raise KeyError
    assert [each.rows_done for each in told] == [0, 5]


async def test_a_job_that_is_being_cancelled_is_told_no_more_of() -> None:
    """Not even while its last commit is waited for."""
    told: list[Snapshot] = []
    progress = JobProgress()

    async def job() -> None:
        async with watched(progress, interval_s=0.001):
            progress.enter("score")
            progress.advanced(0, rows=5, quarantined=0)
            try:
                await asyncio.sleep(LONG_S)
            finally:
                progress.restarted(0)
                await asyncio.sleep(0.05)
                progress.enter("score")

    with observed_by(told.append):
        running = asyncio.create_task(job())
        while not any(each.rows_done for each in told):
            await asyncio.sleep(0.001)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    counts = [each.rows_done for each in told]
    assert counts == sorted(counts)
    assert counts[-1] == 5
