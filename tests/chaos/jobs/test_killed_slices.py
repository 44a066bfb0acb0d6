"""Kill workers and the runs of slices while a job is spread over them: every row is there once."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from prefect.client.schemas.objects import FlowRun

from cli.stack.prefect_server import LocalPrefect
from cli.stack.process import GuardedProcess
from flows.shards.claim import JOB_NAME
from tests.chaos.checker import inspect
from tests.chaos.jobs.site import IN_FLIGHT, SHARD_ROWS, Site
from tests.chaos.jobs.witness import rows_of
from tests.chaos.seeds import Chaos
from tests.deployments.conftest import deployed as deployed
from tests.deployments.conftest import prefect_command as prefect_command
from tests.deployments.processes import kill_run, processes_of_runs
from tests.deployments.workers import awaited, slice_runs, submit, worker
from tests.flows.workplace import PLATFORM_MARKS

pytestmark = [*PLATFORM_MARKS, pytest.mark.chaos]

SPREAD = {
    "score_on": "workers",
    "slice_rows": 2 * SHARD_ROWS,
    "slice_poll_s": 0.5,
    "slice_beat_s": 0.5,
    "slice_silence_s": 15,
    "slice_start_s": 60,
    "slice_wait_s": 300,
    "slice_help_s": 300,
    "slice_tries": 20,
}
"""Six slices of two shards, none of which the job's own run scores."""
SLOTS = 2
"""Runs that one worker has at a time."""


class Shift:
    """Two workers that score slices, and one that runs the job itself; the two may be killed."""

    def __init__(self, stack: ExitStack, prefect: LocalPrefect, folder: Path) -> None:
        self._stack = stack
        self._prefect = prefect
        self._folder = folder
        self._started = 0
        self._start("coordinator", "1")
        self.scorers = [self._start("scorer", str(SLOTS)) for _ in range(2)]

    def _start(self, queue: str, limit: str) -> GuardedProcess:
        self._started += 1
        log = self._folder / f"{queue}-{self._started}.log"
        options = ("--work-queue", queue, "--limit", limit)
        return self._stack.enter_context(worker(self._prefect, self._folder, log, *options))

    def replace(self, place: int, how: str) -> None:
        """End a scorer as if its machine were lost, or by asking it; then start another."""
        if how == "killed":
            os.kill(self.scorers[place].pid, signal.SIGKILL)
        self.scorers[place].stop()
        self.scorers[place] = self._start("scorer", str(SLOTS))


@pytest.fixture
def shift(site: Site, deployed: str, prefect_api: LocalPrefect) -> Iterator[Shift]:
    """Workers in the site's folder."""
    site.witness.order(pause_s=0.1)
    with ExitStack() as stack:
        yield Shift(stack, prefect_api, site.workplace.folder)


def fingerprint_of(site: Site, output: str) -> str:
    """Return how the job that writes an output is called; empty before it has begun."""
    names = [JOB_NAME.match(key) for key in site.read(output)]
    return next((name["fingerprint"] for name in names if name), "")


@dataclass(frozen=True, slots=True)
class Strike:
    """One kill: of whom and when."""

    victim: str
    """`run`, `worker` or `stopped worker`."""
    delay_s: float
    """The moment, after the first request since the last kill."""
    place: int
    """Which of the two workers."""
    pick: float
    """Which of the runs, sorted by name: from 0 to 1."""


def choose(chance: random.Random) -> Strike:
    """Draw whom to kill and when."""
    return Strike(
        chance.choice(["run", "run", "worker", "stopped worker"]),
        chance.uniform(0.0, 3.0),
        chance.randrange(2),
        chance.random(),
    )


class Siege:
    """Kills while a job runs; each when the model was asked something since the last."""

    def __init__(
        self, site: Site, shift: Shift, chance: Callable[[int], random.Random], kills: int
    ) -> None:
        self._site = site
        self._shift = shift
        self._waiting = [choose(chance(kill)) for kill in reversed(range(kills))]
        self._mark = site.witness.mark()
        self._at_s = 0.0
        self.kills: Counter[str] = Counter()
        self.runs_killed = 0

    def __call__(self) -> None:
        """Look whether it is time, and kill."""
        if not self._waiting or self._site.witness.mark() == self._mark:
            return
        strike = self._waiting[-1]
        if not self._at_s:
            self._at_s = time.monotonic() + strike.delay_s
        if time.monotonic() < self._at_s:
            return
        hit = self._kill_run(strike) if strike.victim == "run" else self._kill_worker(strike)
        if hit:
            self.kills[strike.victim] += 1
            self._waiting.pop()
        self._mark, self._at_s = self._site.witness.mark(), 0.0

    def _kill_run(self, strike: Strike) -> bool:
        running = [run for run in self._running() if run.state_name == "Running"]
        running.sort(key=lambda run: run.name)
        if not running or not kill_run(running[int(strike.pick * len(running))]):
            return False
        self.runs_killed += 1
        return True

    def _kill_worker(self, strike: Strike) -> bool:
        self.runs_killed += min(len(self._running()), SLOTS)
        how = "killed" if strike.victim == "worker" else "stopped"
        self._shift.replace(strike.place, how)
        return True

    def _running(self) -> list[FlowRun]:
        fingerprint = fingerprint_of(self._site, "scores")
        alive = processes_of_runs()
        return [run for run in slice_runs(fingerprint) if run.id in alive] if fingerprint else []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.long_form("minutes of processes; tests/docs/test_up.py kills a worker")
@pytest.mark.parametrize("site", ["local"], indirect=True)
def test_workers_and_their_runs_are_killed(site: Site, shift: Shift, chaos: Chaos) -> None:
    """SIGKILL of slices' runs and of workers, workers stopped and started: nothing shows."""
    mark = site.witness.mark()
    siege = Siege(site, shift, chaos.random, chaos.count(12, sample=1))
    run = awaited(submit(site.job("scores"), **SPREAD), within_s=900, meanwhile=siege)
    assert run.state_name == "Completed", run.state
    verdict = inspect(site.read("scores"), site.expected)
    assert (verdict.state, verdict.leftovers, verdict.is_clean) == ("published", (), True), verdict
    again = rows_of(site.witness.noted(mark)) - site.expected.scored.num_rows
    assert again <= siege.runs_killed * IN_FLIGHT * SHARD_ROWS
    chaos.tell(
        f"{dict(siege.kills)}, {siege.runs_killed} runs of slices: 0 lost, 0 duplicated, 0 wrong "
        f"of {site.expected.scored.num_rows:,} rows; {again:,} rows inferred again, "
        f"{siege.runs_killed * IN_FLIGHT * SHARD_ROWS:,} in flight"
    )


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.long_form("minutes of processes; tests/flows/test_dispatch.py has what is decided")
@pytest.mark.parametrize("site", ["local"], indirect=True)
def test_a_poison_slice_is_given_up(site: Site, shift: Shift, chaos: Chaos) -> None:
    """Its runs die one after the other: after so many the job says so, and keeps the rest."""
    poison = chaos.random().randrange(6)
    killed = set[str]()

    def kill() -> None:
        fingerprint = fingerprint_of(site, "scores")
        for run in slice_runs(fingerprint) if fingerprint else ():
            if run.name.startswith(f"slice {poison} ") and kill_run(run):
                killed.add(run.name)

    settings = SPREAD | {"slice_tries": 2}
    run = awaited(submit(site.job("scores"), **settings), within_s=500, meanwhile=kill)
    assert run.state is not None
    assert f"slice {poison} is given up: 2 runs of it ended without" in str(run.state.message)
    assert len(killed) == 2
    left = inspect(site.read("scores"), site.expected)
    assert left.is_clean, left
    assert not left.shards & {2 * poison, 2 * poison + 1}
    again = awaited(submit(site.job("scores"), **SPREAD), within_s=500)
    assert again.state_name == "Completed", again.state
    whole = inspect(site.read("scores"), site.expected)
    assert (whole.state, whole.leftovers, whole.is_clean) == ("published", (), True), whole
    chaos.tell(f"slice {poison} was given up after {len(killed)} runs; the next run finished it")
