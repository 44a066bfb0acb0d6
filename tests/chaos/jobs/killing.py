"""Kill what a job needs, again and again, until it has published all the same."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.chaos.checker import Verdict, inspect
from tests.chaos.jobs.runner import RunningJob
from tests.chaos.jobs.site import IN_FLIGHT, SHARD_ROWS, FailPoint, Site
from tests.chaos.jobs.witness import (
    Noted,
    asked_twice,
    of_jobs,
    owned_by,
    rows_of,
    settle,
    shards_of,
)

POINTS = [
    f"{when}:{what}"
    for when in ("before", "after")
    for what in (
        "put:job",
        *("put:quarantine", "put:part") * 3,
        "put:manifest",
        "put:success",
        "delete:job",
    )
]
"""Where a job's process ends itself; those that a job passes once for each shard come up most."""
_COUNTLESS = ("quarantine", "part")
"""Of which a job has one for each shard; of the others it has one."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One kill: of whom and when."""

    victim: str
    """`job`, `triton` or `s3`."""
    point: FailPoint | None
    """Where the job ends itself; None when it is killed at a moment."""
    from_start: bool
    """Whether the moment counts from the process's start, else from its first request."""
    delay_s: float
    """The moment."""
    away_s: float
    """How long a server is away before it is started again."""


def choose(chance: random.Random, victims: Sequence[str], *, shards: int) -> Strike:
    """Draw whom to kill and when: half of the jobs' processes at fail-points."""
    victim = chance.choice(victims)
    point = None
    if victim == "job" and chance.random() < 0.5:
        name = chance.choice(POINTS)
        skip = chance.randrange(shards) if name.endswith(_COUNTLESS) else 0
        point = FailPoint(name, skip)
    return Strike(
        victim,
        point,
        from_start=victim == "job" and chance.random() < 0.2,
        delay_s=chance.uniform(0, 1),
        away_s=chance.uniform(0, 0.8),
    )


@dataclass(slots=True)
class Toll:
    """What the kills of one site did."""

    jobs: int = 0
    """Jobs published."""
    kills: Counter[str] = field(default_factory=Counter)
    """Kills that hit something that ran, by victim; of jobs, those at fail-points apart."""
    rows: int = 0
    """Rows checked in published outputs."""
    rows_again: int = 0
    """Rows that were inferred more than once."""
    most_shards_again: int = 0
    """Most shards that were inferred again after one kill."""
    stale: int = 0
    """Parts of which a manifest describes another copy."""

    def add(self, other: "Toll") -> None:
        """Count another job's as well."""
        self.jobs += other.jobs
        self.kills += other.kills
        self.rows += other.rows
        self.rows_again += other.rows_again
        self.most_shards_again = max(self.most_shards_again, other.most_shards_again)
        self.stale += other.stale

    def __str__(self) -> str:
        kills = ", ".join(f"{count} of {victim}" for victim, count in sorted(self.kills.items()))
        return (
            f"{self.kills.total()} SIGKILLs ({kills}) over {self.jobs} jobs: 0 lost, 0 duplicated, "
            f"0 wrong of {self.rows:,} rows; {self.rows_again:,} rows inferred again, after one "
            f"kill at most {self.most_shards_again} shards; {self.stale} stale entries"
        )


class Siege:
    """One job, run again until it has published, while something is killed each time."""

    def __init__(self, site: Site, output: str, *, chance: Callable[[int], random.Random]) -> None:
        """`chance` gives each run of the job its own, so that timing moves none of its draws."""
        self._site = site
        self._job = site.job(output)
        self._output = output
        self._chance = chance
        self._runs = 0
        self._start = site.witness.mark()
        self._marks: list[int] = []
        """Where the witness's journal ended at each kill."""
        self._pids: list[int] = []
        self.toll = Toll()

    def run(self, strikes: int) -> None:
        """Kill something in each of the first runs of the job, until it publishes."""
        while not self._run_once(strike=self._runs < strikes):
            pass
        self._check_output()
        self._check_leftovers()
        self._count_again()
        self.toll.jobs = 1

    def _run_once(self, *, strike: bool) -> bool:
        """Run the job's process to its end; whether it has published."""
        site, chosen = self._site, self._choose() if strike else None
        self._runs += 1
        settle(site.triton.http_url)
        start, hits = site.witness.mark(), self.toll.kills.total()
        with site.started(self._job, chosen.point if chosen else None) as process:
            self._pids.append(process.pid)
            if chosen is not None:
                self._strike(chosen, process)
            status = process.wait()
        hit = self.toll.kills.total() > hits
        undisturbed = self._noted(start, self._marks[-1] if hit else site.witness.mark())
        assert asked_twice(undisturbed) == [], "rows asked for twice although nothing was killed"
        verdict = inspect(site.read(self._output), site.expected)
        assert verdict.is_clean, verdict
        if status == 0:
            return True
        assert hit, f"not published, though nothing was killed: see {site.runner.log}"
        return False

    def _choose(self) -> Strike:
        site = self._site
        shards = sum(site.expected.files.values()) // SHARD_ROWS
        return choose(self._chance(self._runs), site.victims, shards=shards)

    def _strike(self, strike: Strike, process: RunningJob) -> None:
        """Kill, and count it if the victim was at work."""
        if strike.point is not None:
            if process.wait() == -9:
                self._count(f"job at {strike.point.name}")
            return
        if not strike.from_start:
            self._await_request(process)
        time.sleep(strike.delay_s)
        if process.poll() is not None:
            return
        self._count(strike.victim)
        if strike.victim == "job":
            process.kill()
            return
        self._site.kill(strike.victim)
        time.sleep(strike.away_s)
        self._site.revive(strike.victim)

    def _await_request(self, process: RunningJob) -> None:
        mark = self._site.witness.mark()
        while process.poll() is None and self._site.witness.mark() == mark:
            time.sleep(0.005)

    def _count(self, victim: str) -> None:
        self._marks.append(self._site.witness.mark())
        self.toll.kills[victim] += 1

    def _check_output(self) -> None:
        """Everything is there once, and nothing else."""
        verdict: Verdict = inspect(self._site.read(self._output), self._site.expected)
        assert (verdict.state, verdict.leftovers, verdict.is_clean) == ("published", (), True)
        expected = self._site.expected
        self.toll.rows = expected.scored.num_rows + expected.quarantined.num_rows
        self.toll.stale = len(verdict.stale)

    def _check_leftovers(self) -> None:
        """No process that was killed has left a region or a file outside of the output."""
        assert owned_by(self._pids) == []
        own = tuple(f"nightshift-{pid}-" for pid in self._pids)
        assert [name for name in self._site.mapped() if name.startswith(own)] == []
        assert [path for path in self._site.temporary.rglob("*") if path.is_file()] == []

    def _count_again(self) -> None:
        """Compare what was inferred with what had been, kill by kill."""
        rows = rows_of(self._noted(self._start, self._site.witness.mark()))
        self.toll.rows_again = rows - self._site.expected.scored.num_rows
        spans = [*self._marks, self._site.witness.mark()]
        for mark, stop in pairwise(spans):
            before, after = self._noted(self._start, mark), self._noted(mark, stop)
            again = self._shards(before) & self._shards(after)
            self.toll.most_shards_again = max(self.toll.most_shards_again, len(again))
        assert self.toll.most_shards_again <= IN_FLIGHT
        kills = self.toll.kills.total()
        assert self.toll.rows_again <= kills * IN_FLIGHT * SHARD_ROWS

    def _noted(self, start: int, stop: int) -> list[Noted]:
        """Return what the jobs asked between two marks."""
        return of_jobs(self._site.witness.noted(start, stop))

    def _shards(self, requests: Sequence[Noted]) -> set[int]:
        return shards_of(requests, shard_rows=SHARD_ROWS)
