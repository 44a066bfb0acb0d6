"""Check which slices go out, and when one goes out again."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.dispatch import Action, Dispatch, Release, RunState, ScoreHere, Seen, Send
from flows.errors import JobUnfinished, SliceFailed, SliceGivenUp
from flows.shards.slice_objects import SliceRecord
from flows.slices import Slice, as_ranges

SLICES = (Slice(0, (0, 1, 2, 3)), Slice(1, (4, 5, 6, 7)))
RUNS, WAITS = RunState("begun", "Running"), RunState("waiting", "Scheduled")
CRASHED = RunState("ended", "Crashed: it was killed")


def dispatch(*slices: Slice, **knobs: Any) -> Dispatch:
    """Knobs in seconds of a clock that the tests turn."""
    waits = {"silence_s": 60.0, "start_s": 90.0, "wait_s": 30.0, "help_s": 20.0}
    return Dispatch(slices or SLICES, **({"tries": 3, "now": 0.0} | waits | knobs))


def seen(
    states: dict[int, RunState] | None = None,
    records: dict[int, SliceRecord] | None = None,
    committed: set[int] | None = None,
) -> Seen:
    return Seen(states or {}, records or {}, committed or set())


def says(beat: int, done: str = "", **more: Any) -> SliceRecord:
    return SliceRecord(beat=beat, done=done, **more)


def test_every_slice_goes_out_at_once() -> None:
    """Workers take them as they have room."""
    assert dispatch().begin(0) == [Send(0, 0, (0, 1, 2, 3)), Send(1, 1, (4, 5, 6, 7))]


def test_a_slice_that_is_committed_needs_no_run() -> None:
    """Whoever committed it; the job is done when all are."""
    handed = dispatch()
    handed.begin(0)
    assert handed.decide(seen({0: RUNS, 1: WAITS}, committed={4, 5, 6, 7}), 1) == [Release(1)]
    assert not handed.done
    assert handed.decide(seen({0: RUNS}, committed=set(range(8))), 2) == [Release(0)]
    assert handed.done


def test_what_a_dead_run_left_goes_out_again() -> None:
    """Without the shards that are committed, whichever record it left."""
    handed = dispatch(SLICES[0])
    handed.begin(0)
    assert handed.decide(seen({0: RUNS}, {0: says(1)}), 1) == []
    again = [Release(0, dead=True), Send(1, 0, (1, 3), why="Crashed: it was killed")]
    assert handed.decide(seen({0: CRASHED}, {0: says(1)}, {0, 2}), 2) == again


def watched(handed: Dispatch, what: Seen, first: int, last: int) -> list[Action]:
    """Look every second; return what was to be done."""
    return [each for now in range(first, last + 1) for each in handed.decide(what, now)]


def test_a_silent_run_is_dead() -> None:
    """Though Prefect says that it runs; one whose beat goes on is not."""
    handed = dispatch(SLICES[0])
    handed.begin(0)
    assert watched(handed, seen({0: RUNS}, {0: says(1)}), 1, 50) == []
    assert watched(handed, seen({0: RUNS}, {0: says(2)}), 51, 110) == []
    assert handed.decide(seen({0: RUNS}, {0: says(2)}), 111) == [
        Release(0, dead=True),
        Send(1, 0, (0, 1, 2, 3), why="it was silent for 60 s"),
    ]


def test_a_run_that_never_tells_of_itself_is_dead() -> None:
    """A worker took it, and died before its process began; it has longer for that."""
    handed = dispatch(SLICES[0])
    handed.begin(0)
    assert watched(handed, seen({0: RUNS}), 1, 90) == []
    assert handed.decide(seen({0: RUNS}), 91) == [
        Release(0, dead=True),
        Send(1, 0, (0, 1, 2, 3), why="it was silent for 90 s"),
    ]


def test_records_that_could_not_be_read_are_no_silence() -> None:
    """The store was away: runs are judged by what is read afterwards, and that takes a while."""
    handed = dispatch()
    handed.begin(0)
    both = seen({0: RUNS, 1: RUNS}, {0: says(1), 1: says(1)})
    assert watched(handed, both, 1, 10) == []
    for now in range(11, 300):
        handed.missed(now)
    assert watched(handed, both, 300, 340) == []
    one = seen({0: RUNS, 1: RUNS}, {0: says(2), 1: says(1)})
    assert [type(each) for each in watched(handed, one, 341, 361)] == [Release, Send]
    assert handed.live == (0, 2)


def test_a_pause_between_two_looks_is_no_silence() -> None:
    """This process stood still, or the store took a minute to answer: nobody could be heard."""
    handed = dispatch()
    handed.begin(0)
    both = seen({0: RUNS, 1: RUNS}, {0: says(1), 1: says(1)})
    handed.decide(both, 1)
    assert handed.decide(both, 1000) == []
    assert watched(handed, both, 1001, 1039) == []
    assert len(watched(handed, both, 1040, 1041)) == 4


def test_a_pause_is_no_lack_of_workers() -> None:
    """Those that are there may have begun meanwhile what was not looked at."""
    handed = dispatch()
    handed.begin(0)
    none = seen({0: WAITS, 1: WAITS})
    handed.decide(none, 1)
    handed.missed(100)
    assert handed.decide(none, 101) == []


def test_a_record_outlives_prefects_memory() -> None:
    """Prefect may not have said yet that the run is over."""
    handed = dispatch(SLICES[0])
    handed.begin(0)
    record = says(1, "0-1", outcome="unfinished", error="the pool is away")
    assert handed.decide(seen({0: RUNS}, {0: record}, {0, 1}), 1) == [
        Release(0, dead=True),
        Send(1, 0, (2, 3), why="the pool is away"),
    ]


def test_a_poison_slice_is_given_up() -> None:
    """After three runs in a row without a commit; one that got further begins the count anew."""
    handed = dispatch(SLICES[0])
    handed.begin(0)
    handed.decide(seen({0: CRASHED}), 1)
    handed.decide(seen({1: CRASHED}), 2)
    handed.decide(seen({2: CRASHED}, committed={0}), 3)
    handed.decide(seen({3: CRASHED}, committed={0}), 4)
    handed.decide(seen({4: CRASHED}, committed={0}), 5)
    with pytest.raises(SliceGivenUp) as caught:
        handed.decide(seen({5: CRASHED}, committed={0}), 6)
    assert str(caught.value) == (
        "slice 0 is given up: 3 runs of it ended without committing any of its shards 1-3 (the "
        "last: Crashed: it was killed); what is done is kept: look at their logs, then run the "
        "same job again and it continues"
    )


def test_a_permanent_failure_ends_the_job() -> None:
    """With the words that the job's own run would have had."""
    handed = dispatch()
    handed.begin(0)
    with pytest.raises(SliceFailed, match="page 3 cannot be read"):
        handed.decide(
            seen(records={1: says(1, outcome="failed", error="page 3 cannot be read")}), 1
        )


def test_a_pool_that_stays_away_leaves_the_job_unfinished() -> None:
    """The error is the one of a job in one process."""
    handed = dispatch(tries=1)
    handed.begin(0)
    with pytest.raises(JobUnfinished, match=r"^6 of 8 shards are not scored yet \(no server\)"):
        handed.decide(
            seen(records={0: says(1, outcome="unfinished", error="no server")}, committed={4, 5}),
            1,
        )


def test_without_workers_the_job_scores_its_slices_itself() -> None:
    """One after the other; what waited is not scored twice."""
    handed = dispatch()
    handed.begin(0)
    assert watched(handed, seen({0: WAITS, 1: WAITS}), 1, 29) == []
    assert handed.decide(seen({0: WAITS, 1: WAITS}), 30) == [
        Release(1),
        ScoreHere(1, (4, 5, 6, 7)),
    ]
    assert handed.decide(seen({0: WAITS}, committed={4, 5}), 31) == []
    handed.was_scored_here(1)
    assert handed.decide(seen({0: WAITS}, committed={4, 5, 6, 7}), 32) == [
        Release(0),
        ScoreHere(0, (0, 1, 2, 3)),
    ]


def test_a_worker_that_comes_is_waited_for() -> None:
    """A slice is scored here only where no run of any lives."""
    handed = dispatch()
    handed.begin(0)
    handed.decide(seen({0: RUNS, 1: WAITS}, {0: says(1)}), 20)
    assert handed.decide(seen({0: RUNS, 1: WAITS}, {0: says(2)}), 50) == []


def test_a_straggler_is_helped_from_its_other_end() -> None:
    """Once nothing waits; no more than one at a time, and not for the little that is left."""
    handed = dispatch(Slice(0, tuple(range(10))), Slice(1, (10, 11)))
    handed.begin(0)
    handed.decide(seen({0: RUNS, 1: RUNS}), 1)
    slow = {0: says(2, "0-1")}
    assert handed.decide(seen({0: RUNS, 1: RUNS}, slow, {0, 1, 10}), 11) == [
        Send(2, 0, tuple(range(2, 10)), backwards=True, why="it is slow")
    ]
    assert handed.decide(seen({0: RUNS, 2: RUNS}, slow, {0, 1, 10, 11}), 12) == [Release(1)]
    assert handed.decide(seen({0: RUNS, 2: RUNS}, slow, {0, 1, 9, 10, 11}), 13) == []
    assert handed.decide(seen({0: RUNS, 2: CRASHED}, slow, {0, 1, 9, 10, 11}), 14) == [
        Release(2, dead=True),
        Send(3, 0, tuple(range(2, 9)), backwards=True, why="it is slow"),
    ]


class Farm:
    """Workers that take runs, score shards one by one, and die now and then."""

    def __init__(self, chance: random.Random, *, slots: int, deaths: int) -> None:
        self.chance = chance
        self.slots = slots
        self.deaths = deaths
        self.sent: dict[int, list[int]] = {}
        self.begun: set[int] = set()
        self.dead: set[int] = set()
        self.done: dict[int, list[int]] = {}
        self.beats: dict[int, int] = {}
        self.committed: set[int] = set()
        self.scored: list[int] = []
        self.here: list[int] = []
        self.here_number = 0

    def act(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Send):
                self.sent[action.run] = sorted(action.shards, reverse=action.backwards)
            elif isinstance(action, ScoreHere):
                self.here, self.here_number = list(action.shards), action.number
            else:
                self.sent.pop(action.run, None)
                self.begun.discard(action.run)

    def work(self, handed: Dispatch) -> None:
        for run in sorted(self.sent):
            if run not in self.begun:
                if len(self.begun - self.dead) < self.slots and self.chance.random() < 0.7:
                    self.begun.add(run)
            elif run not in self.dead:
                self.step(run)
        if self.here:
            self.score(self.here.pop(0))
            if not self.here:
                handed.was_scored_here(self.here_number)

    def step(self, run: int) -> None:
        if self.deaths and self.chance.random() < 0.2:
            self.deaths -= 1
            self.dead.add(run)
            return
        self.beats[run] = self.beats.get(run, 0) + 1
        shards = self.sent[run]
        if shards and self.chance.random() < 0.8:
            self.done.setdefault(run, []).append(shards[0])
            self.score(shards.pop(0))

    def score(self, shard: int) -> None:
        if shard not in self.committed:
            self.committed.add(shard)
            self.scored.append(shard)

    def seen(self) -> Seen:
        """Half of the dead are found by Prefect, the others are silent."""
        states = {run: RUNS if run in self.begun else WAITS for run in self.sent}
        states |= {run: CRASHED for run in self.dead & states.keys() if run % 2}
        records = {
            run: says(beat, as_ranges(self.done.get(run, ()))) for run, beat in self.beats.items()
        }
        return Seen(states, records, set(self.committed))


@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=8),
    slots=st.integers(0, 4),
    deaths=st.integers(0, 6),
)
def test_every_shard_gets_scored(seed: int, sizes: list[int], slots: int, deaths: int) -> None:
    """However many workers there are, none included, and whoever dies; never two runs too many."""
    starts = [sum(sizes[:k]) for k in range(len(sizes))]
    slices = [
        Slice(k, tuple(range(start, start + size)))
        for k, (start, size) in enumerate(zip(starts, sizes, strict=True))
    ]
    farm = Farm(random.Random(seed), slots=slots, deaths=deaths)
    handed = dispatch(*slices, tries=deaths + 1)
    farm.act(handed.begin(0))
    for now in range(1, 3000):
        farm.work(handed)
        farm.act(handed.decide(farm.seen(), float(now)))
        if handed.done:
            break
    assert farm.committed == set(range(sum(sizes)))
    assert handed.done
    assert len(farm.sent) == 0
