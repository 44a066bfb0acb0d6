"""A process that sleeps through another's work changes nothing when it wakes up."""

import json
import os
import random
import signal
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.chaos import scorer
from tests.chaos.checker import inspect
from tests.chaos.forks import FORKS
from tests.chaos.objects import Found
from tests.chaos.oracle import expected
from tests.chaos.places import Place
from tests.chaos.scorer import SHARDS, Order, Outcome
from tests.chaos.seeds import Chaos
from tests.servers.s3 import S3Endpoint

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads states from /proc"),
]

ON_TIME_S = 60.0


class Sleeper:
    """A process that does a job and stops itself at the order's fail-point."""

    def __init__(self, order: Order) -> None:
        self._told = order.folder / "outcome.json"
        self._process = FORKS.Process(
            target=scorer.score_and_tell, args=(order, self._told), daemon=True
        )
        self._process.start()
        deadline = time.monotonic() + ON_TIME_S
        while self._state() != "T":
            assert self._process.is_alive(), f"{order.points} was not reached"
            assert time.monotonic() < deadline, f"{order.points} was not reached in time"
            time.sleep(0.002)

    def _state(self) -> str:
        try:
            stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        except FileNotFoundError:
            return ""
        return stat.rpartition(")")[2].split()[0]

    def wake(self) -> Outcome:
        """Let it go on to its end."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGCONT)
        self._process.join(ON_TIME_S)
        assert self._process.exitcode == 0
        return Outcome(**json.loads(self._told.read_text()))


SAME_JOB = [
    *(
        f"{when}:{what}"
        for what in ("put:job", "put:quarantine", "put:part", "put:manifest", "put:success")
        for when in ("before", "after")
    ),
    "before:delete:job",
    "after:delete:job",
]
"""Where a job stops while another run of it works."""
REPLACING = [
    *(
        f"{when}:{what}"
        for what in ("put:quarantine", "put:part", "replace:manifest", "replace:success")
        for when in ("before", "after")
    ),
    "before:list:job@1",
    "before:delete:part",
    "before:delete:quarantine",
    "before:delete:job",
]
"""Where a job that replaces another's output stops while a third one replaces it as well.

Not before its claim: it would begin when it wakes up, and replace the third one's by right.
"""


REPLACED = [
    "after:replace:manifest",
    *(point for point in REPLACING if "success" in point or point.startswith("before:list:job")),
    *(point for point in REPLACING if point.startswith("before:delete")),
]
"""Where such a job stops, its manifest published, while the one that it replaced comes back."""


@pytest.fixture
def order(place: Place, tmp_path: Path) -> Order:
    """A job with its input, and nothing done."""
    scorer.prepare(tmp_path)
    return Order(place, tmp_path)


@pytest.fixture
def orders(tmp_path: Path, s3_endpoint: S3Endpoint) -> list[Order]:
    """The same job in a folder and in a bucket."""
    scorer.prepare(tmp_path)
    bucket = Place(s3_endpoint.uri, s3_endpoint)
    return [Order(Place(str(tmp_path)), tmp_path), Order(bucket, tmp_path)]


def fresh(order: Order, name: object) -> Order:
    """Return the same job on a fresh output."""
    return replace(order, place=order.place.fresh(name))


def in_turn(points: list[str], times: int, chance: random.Random) -> list[str]:
    """Draw fail-points: each as often as the others; where each shard passes, one of them."""
    drawn: list[str] = []
    while len(drawn) < times:
        drawn += chance.sample(points, len(points))
    return [
        f"{point}@{chance.randrange(SHARDS)}" if point.endswith((":part", ":quarantine")) else point
        for point in drawn[:times]
    ]


def stopped_at(order: Order, point: str) -> Sleeper:
    """Start the job and have it stop."""
    name, _, skip = point.partition("@")
    return Sleeper(replace(order, points=(f"{name}=stop@{skip or 0}",)))


def wakes_in_vain(sleeper: Sleeper, place: Place) -> Outcome:
    """Wake it; fails unless every byte and ETag of the published output stays."""
    before = place.objects()
    outcome = sleeper.wake()
    assert place.objects() == before
    verdict = inspect(before, expected())
    assert (verdict.state, verdict.is_clean, verdict.leftovers) == ("published", True, ()), verdict
    return outcome


@pytest.mark.parametrize("place", ["local", "s3"], indirect=True)
def test_asleep_before_its_commit(order: Order, chaos: Chaos) -> None:
    """Another run commits the part and publishes: the sleeper adopts it and all that follows."""
    chance = chaos.random()
    times = chaos.count(50, sample=1)
    for number in range(times):
        one, shard = fresh(order, number), chance.randrange(SHARDS)
        sleeper = Sleeper(replace(one, points=(f"before:put:part=stop@{shard}",)))
        rival = scorer.score(one)
        assert (rival.end, rival.adopted) == ("published", [])
        outcome = wakes_in_vain(sleeper, one.place)
        left = list(range(shard, SHARDS))
        assert (outcome.end, outcome.adopted) == ("published", left), outcome
    chaos.tell(f"{times} of {times} changed nothing and adopted")


def test_asleep_anywhere_in_the_same_job(orders: list[Order], chaos: Chaos) -> None:
    """Wherever a run of a job stops, another one publishes, and both end well."""
    chance = chaos.random()
    points = in_turn(SAME_JOB, chaos.count(100, sample=1), chance)
    for number, point in enumerate(points):
        one = fresh(chance.choice(orders), number)
        sleeper = stopped_at(one, point)
        assert scorer.score(one).end == "published"
        assert wakes_in_vain(sleeper, one.place).end == "published", point
    chaos.tell(f"{len(points)} of {len(points)} changed nothing")


def test_asleep_while_it_is_replaced(orders: list[Order], chaos: Chaos) -> None:
    """Another job replaces its output: it must not touch the new one, published or not itself."""
    chance = chaos.random()
    points = in_turn(SAME_JOB, chaos.count(100, sample=1), chance)
    ends: Counter[str] = Counter()
    for number, point in enumerate(points):
        one = fresh(chance.choice(orders), number)
        sleeper = stopped_at(one, point)
        assert scorer.score(replace(one, version=2, replace=True)).end == "published"
        ends[wakes_in_vain(sleeper, one.place).end] += 1
    assert set(ends) <= {"published", "JobSuperseded", "OutputOccupied"}, ends
    chaos.tell(f"{len(points)} of {len(points)} changed nothing: {dict(ends)}")


def test_asleep_while_replacing(orders: list[Order], chaos: Chaos) -> None:
    """A third job replaces the output as well: what the second one had begun must not go on."""
    chance = chaos.random()
    points = in_turn(REPLACING, chaos.count(100, sample=1), chance)
    ends: Counter[str] = Counter()
    for number, point in enumerate(points):
        one = fresh(chance.choice(orders), number)
        assert scorer.score(one).end == "published"
        sleeper = stopped_at(replace(one, version=2, replace=True), point)
        assert scorer.score(replace(one, version=3, replace=True)).end == "published"
        ends[wakes_in_vain(sleeper, one.place).end] += 1
    assert set(ends) <= {"published", "JobSuperseded"}, ends
    chaos.tell(f"{len(points)} of {len(points)} changed nothing: {dict(ends)}")


def test_asleep_while_the_replaced_job_comes_back(orders: list[Order], chaos: Chaos) -> None:
    """Its objects are on the sleeper's list of what to remove: it must not find them again."""
    chance = chaos.random()
    points = in_turn(REPLACED, chaos.count(100, sample=2), chance)
    ends: Counter[str] = Counter()
    for number, point in enumerate(points):
        one = fresh(chance.choice(orders), number)
        assert scorer.score(one).end == "published"
        sleeper = stopped_at(replace(one, version=2, replace=True), point)
        assert scorer.score(replace(one, replace=True)).end == "published"
        ends[wakes_in_vain(sleeper, one.place).end] += 1
    assert set(ends) <= {"published", "JobSuperseded"}, ends
    chaos.tell(f"{len(points)} of {len(points)} changed nothing: {dict(ends)}")


@pytest.mark.parametrize("place", ["careless"], indirect=True)
def test_asleep_on_a_store_that_ignores_conditions(order: Order, chaos: Chaos) -> None:
    """It overwrites the part with its own copy: the scores stay right, and the manifest's rows.

    Not promised here: the manifest describes the earlier copy, and the quarantine object that the
    new copy's footer names is gone. The one that the manifest names stays.
    """
    chance = chaos.random()
    times = chaos.count(50, sample=1)
    for number in range(times):
        one = fresh(order, number)
        sleeper = stopped_at(one, f"before:put:part@{chance.randrange(SHARDS)}")
        assert scorer.score(one).end == "published"
        before = one.place.objects()
        sleeper.wake()
        after = one.place.objects()
        changed = {key for key in after if after[key] != before.get(key)}
        assert len(changed) == 1
        assert before.keys() == after.keys()
        for key in changed:
            assert rows(after[key]).equals(rows(before[key])), key
    chaos.tell(f"{times} of {times} overwrote one part with the same rows")


def rows(found: Found) -> pa.Table:
    """Read an object's rows, without its metadata."""
    return pq.read_table(pa.BufferReader(found.data)).replace_schema_metadata()
