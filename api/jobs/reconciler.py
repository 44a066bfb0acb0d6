"""Keep the jobs and Prefect's runs in step: hand over what waits, compare what runs."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from anyio.to_thread import run_sync

from api.jobs.runs import Run, RunKind, RunRefused, Runs, RunsAway
from api.jobs.settings import JobsSettings
from api.jobs.silence import Listener
from api.jobs.sweep import Sweep
from api.jobs.verdicts import (
    AskCancel,
    Call,
    Lose,
    Move,
    Patience,
    Settle,
    Stop,
    Verdict,
    Wait,
    decide,
)
from inference.tickets import Ticket
from registry.errors import RegistryUnavailable
from registry.job_book import RECONCILER, Jobs
from registry.job_conflicts import AttemptOver, MoveRefused
from registry.jobs import Job, JobFilter, JobState
from telemetry.logs import logger

_log = logger(__name__)

_UNSETTLED = JobFilter(unsettled=True)
_GATHER_S = 0.2
"""From the first of many new jobs to the look for all of them: short beside a run's start."""
_PREFECT = "prefect"
"""Who cancelled a job whose run was cancelled there."""


class Reconciler:
    """Hands submitted jobs to Prefect and follows what becomes of them.

    A job that was acknowledged is in the registry; it is handed over from there, as often as it
    takes, under a key by which Prefect knows a repetition. So nothing is lost when this process
    dies in between, and several of these do no harm beside each other. While the registry or
    Prefect is away nothing is decided.
    """

    def __init__(
        self,
        jobs: Jobs,
        runs: Runs,
        settings: JobsSettings,
        *,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` is monotonic."""
        self._jobs = jobs
        self._runs = runs
        self._settings = settings
        self._utc_now = utc_now
        self._clock = clock
        self._patience = Patience(
            ending=timedelta(seconds=settings.ending_s),
            stop=timedelta(seconds=settings.stop_s),
            silent=timedelta(seconds=settings.silent_s),
            pending=timedelta(seconds=settings.pending_s),
        )
        # No one gap between two looks has a run counted as dead: several looks must agree.
        self._listener = Listener(most_gap_s=settings.silent_s / 3)
        self._sending = Sweep(at_once=settings.send_at_once)
        self._looking = Sweep()
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Have new jobs handed over now."""
        self._woken.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look again and again for the length of the block."""
        loops = (self._hand_over_when_woken, self._look_now_and_then)
        tasks = [asyncio.create_task(self._run(loop), name="jobs") for loop in loops]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def hand_over(self) -> None:
        """Hand every job that waits for it to Prefect, the oldest first.

        Raises what failed, when the others are handed over: `RunsAway`, `RegistryUnavailable`, or
        an `ExceptionGroup`.
        """
        waiting = [job for job in await self._unsettled() if _waits(job)]
        await self._sending.over(waiting, self._send)

    async def look(self) -> None:
        """Compare every unsettled job with its run, and do what follows; raises as `hand_over`."""
        jobs = await self._unsettled()
        runs = await self._runs.look({job.run_id for job in jobs if job.run_id})
        words = {job.id: _last_word(job, runs.get(job.run_id or "")) for job in jobs}
        silences = self._listener.heard(words, self._clock())

        async def follow(job: Job) -> None:
            run = runs.get(job.run_id or "")
            await self._do(job, run, self._verdict(job, run, silences[job.id]))

        await self._looking.over(jobs, follow)

    def _verdict(self, job: Job, run: Run | None, silence: timedelta) -> Verdict:
        if job.run_id is None:
            return Settle() if job.is_finished else Wait()
        return decide(job, run, now=self._utc_now(), unchanged=silence, patience=self._patience)

    async def _unsettled(self) -> tuple[Job, ...]:
        page = await run_sync(self._jobs.jobs, _UNSETTLED)
        return page.items[::-1]

    async def _send(self, job: Job) -> None:
        try:
            asked = {**job.asked, "model": f"{job.model}@{job.version}"}
            run_id = await self._runs.send(Ticket(job.id, job.attempt), asked)
            await run_sync(self._jobs.sent, job.id, job.attempt, run_id)
        except RunRefused as error:
            await self._move(job, JobState.FAILED, f"Prefect refuses it: {error}")
        except AttemptOver:
            return  # somebody was faster

    async def _do(self, job: Job, run: Run | None, verdict: Verdict) -> None:
        if isinstance(verdict, Wait):
            return
        _log.info("a job and its run differ", job=job.id, state=job.state, verdict=repr(verdict))
        try:
            await self._act(job, run, verdict)
        except (AttemptOver, MoveRefused) as error:
            _log.info("a job went on meanwhile", job=job.id, cause=str(error))

    async def _act(self, job: Job, run: Run | None, verdict: Verdict) -> None:
        match verdict:
            case Move(state, why, counts):
                if counts is not None:
                    await run_sync(self._jobs.tell, job.id, job.attempt, counts)
                await self._move(job, state, why)
            case Lose(why, call):
                if call and run is not None:
                    await self._runs.call(run.id, RunKind.CRASHED, why)
                most = self._settings.max_lost_runs
                lose = self._jobs.lose
                await run_sync(lambda: lose(job.id, job.attempt, why=why, most_lost=most))
                self.wake()
            case Call(kind):
                assert run is not None
                await self._runs.call(run.id, kind, f"job {job.id} is {job.state}")
            case Stop():
                assert run is not None
                await self._runs.stop(run.id)
            case AskCancel():
                ask = self._jobs.ask_cancel
                await run_sync(lambda: ask(job.id, by=_PREFECT, why="its run was cancelled there"))
            case Settle():
                await run_sync(self._jobs.settle, job.id, job.attempt)

    async def _move(self, job: Job, state: JobState, why: str) -> None:
        move = self._jobs.move
        await run_sync(lambda: move(job.id, job.attempt, state, by=RECONCILER, why=why))

    async def _hand_over_when_woken(self) -> None:
        await self._woken.wait()
        await asyncio.sleep(_GATHER_S)
        self._woken.clear()
        await self.hand_over()

    async def _look_now_and_then(self) -> None:
        await asyncio.sleep(self._settings.look_every_s)
        try:
            await self.look()
        finally:
            self.wake()  # what could not be handed over is tried again

    async def _run(self, once: Callable[[], Coroutine[Any, Any, None]]) -> None:
        away = False
        while True:
            try:
                await once()
                away = False
            except* (RunsAway, RegistryUnavailable) as group:
                if not away:
                    cause = "; ".join(sorted({str(error) for error in group.exceptions}))
                    _log.warning("jobs wait: Prefect or the registry is away", cause=cause)
                away = True
            except* Exception:  # noqa: BLE001  # a task's edge: one bad look must not be the last
                _log.exception("a look at the jobs met a fault")
                await asyncio.sleep(self._settings.look_every_s)


def _last_word(job: Job, run: Run | None) -> object:
    """Return what differs once something new is heard of the job."""
    return (job.attempt, job.heard_at, run.kind if run else None)


def _waits(job: Job) -> bool:
    return job.run_id is None and job.state in (JobState.QUEUED, JobState.PUBLISHING)
