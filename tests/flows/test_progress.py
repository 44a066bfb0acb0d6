"""Check the counters of how far a job is."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from flows.progress import JobProgress, Snapshot, current_observer, observed_by
from inference.health import PoolHealth


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def scoring(rows: int = 100, shards: int = 4) -> tuple[JobProgress, Clock]:
    """A job that has begun to score."""
    clock = Clock()
    progress = JobProgress(clock)
    progress.planned(rows=rows, shards=shards)
    progress.enter("score")
    return progress, clock


def test_before_the_plan_nothing_is_known() -> None:
    """No rows, no rate, no time left."""
    assert JobProgress(Clock()).snapshot() == Snapshot("resolve", 0, 0, 0, 0, 0, 0.0, None, None)


def test_rows_rate_and_time_left() -> None:
    """Rows of earlier runs count as done, and not for the rate."""
    progress, clock = scoring()
    progress.adopted(rows=40, quarantined=3)
    clock.now += 2.0
    progress.advanced(1, rows=20, quarantined=1)
    progress.committed(1)
    expected = Snapshot("score", 100, 60, 4, 4, 2, rate=10.0, eta_s=4.0, health=None)
    assert progress.snapshot() == expected
    clock.now += 3.0
    progress.enter("publish")
    clock.now += 50.0
    assert progress.snapshot() == replace(expected, phase="publish", rate=4.0, eta_s=10.0)


def test_phases_have_their_seconds() -> None:
    """The present phase counts up to now."""
    clock = Clock()
    progress = JobProgress(clock)
    for phase, took in (("plan", 1.0), ("score", 2.0), ("publish", 4.0)):
        clock.now += took
        progress.enter(phase)
    clock.now += 8.0
    assert progress.seconds() == {"resolve": 1.0, "plan": 2.0, "score": 4.0, "publish": 8.0}


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["advance", "restart", "commit"])),
        max_size=20,
    )
)
def test_an_attempt_that_did_not_commit_leaves_no_rows(steps: list[tuple[int, str]]) -> None:
    """Rows done are those of committed shards and of attempts that still run."""
    progress, _ = scoring()
    running: dict[int, int] = {}
    committed = 0
    for shard, step in steps:
        if step == "advance":
            progress.advanced(shard, rows=5, quarantined=2)
            running[shard] = running.get(shard, 0) + 1
        elif step == "restart":
            progress.restarted(shard)
            running.pop(shard, None)
        else:
            progress.committed(shard)
            committed += running.pop(shard, 0)
    pieces = committed + sum(running.values())
    snapshot = progress.snapshot()
    assert (snapshot.rows_done, snapshot.rows_quarantined) == (5 * pieces, 2 * pieces)


def test_the_pool_is_asked_for_its_health() -> None:
    """Each snapshot holds the state of that moment."""
    health = PoolHealth(servers=(), waiting=0, requests=1, retries=0, overloads=0, failures=0)
    progress, _ = scoring()
    progress.health = lambda: health
    assert progress.snapshot().health is health


def test_observers_are_told_inside_their_block_only() -> None:
    """Blocks nest."""
    seen: list[Snapshot] = []
    assert current_observer() is None
    with observed_by(seen.append):
        with observed_by(print):
            assert current_observer() is print
        assert current_observer() == seen.append
    assert current_observer() is None
