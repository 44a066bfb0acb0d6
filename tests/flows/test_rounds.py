"""Check how shards are handed out."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.errors import JobUnfinished
from flows.rounds import Hand, first_error, score_in_rounds
from flows.shards.types import InputFile, RowGroup, Shard
from inference.errors import PoolUnavailable, ServerUnreachable

FILE = InputFile("a.parquet", "etag", 1, (RowGroup(1, 1),), {})


def shards(count: int) -> list[Shard]:
    return [Shard(index, FILE, 0, 1, 0, 1, 1) for index in range(count)]


class Scorer:
    """Scores shards, some of them not before they were tried a few times."""

    def __init__(self, failures: dict[int, int] | None = None) -> None:
        self.failures = dict(failures or {})
        self.scored: Counter[int] = Counter()
        self.tried: list[int] = []
        self.running = 0
        self.most_running = 0

    async def __call__(self, hand: Hand, shard: Shard) -> None:
        self.tried.append(shard.index)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(0)
            if self.failures.get(shard.index, 0) > 0:
                self.failures[shard.index] -= 1
                raise PoolUnavailable("no server may be asked now", retry_after_s=1.0)
            self.scored[shard.index] += 1
            hand.drop()
        finally:
            self.running -= 1


@given(
    count=st.integers(0, 12),
    in_flight=st.integers(1, 5),
    failures=st.dictionaries(st.integers(0, 11), st.integers(0, 3), max_size=6),
)
async def test_every_shard_is_scored_once(
    count: int, in_flight: int, failures: dict[int, int]
) -> None:
    """In whatever order the pool goes away; never more at a time than allowed."""
    score = Scorer(failures)
    rounds = 1 + sum(failures.values())
    await score_in_rounds(shards(count), score, of=count, in_flight=in_flight, rounds=rounds)
    assert score.scored == Counter(range(count))
    assert score.most_running <= in_flight


async def test_what_was_not_begun_waits_for_the_next_round() -> None:
    """One shard that found no server is enough to know that the others would find none."""
    score = Scorer({1: 1})
    await score_in_rounds(shards(5), score, of=5, in_flight=1, rounds=2)
    assert score.tried == [0, 1, 1, 2, 3, 4]


async def test_one_call_may_score_several() -> None:
    """A call takes what it likes; the shard that it could not score is the next call's first."""
    calls: list[list[int]] = []
    failures = {2}

    async def score(hand: Hand, first: Shard) -> None:
        taken: list[int] = []
        calls.append(taken)
        assert hand.shard is first
        while len(taken) < 3 and (shard := hand.take()) is not None:
            taken.append(shard.index)
            if shard.index in failures:
                failures.remove(shard.index)
                raise PoolUnavailable("no server may be asked now", retry_after_s=1.0)
            hand.drop()

    await score_in_rounds(shards(6), score, of=6, in_flight=1, rounds=2)
    assert calls == [[0, 1, 2], [2, 3, 4], [5]]


async def test_a_pool_that_stays_away_ends_the_job_unfinished() -> None:
    """The error says how much is left, why, and what to do; the committed shards are kept."""
    score = Scorer({2: 99})
    with pytest.raises(JobUnfinished) as caught:
        await score_in_rounds(shards(4), score, of=9, in_flight=1, rounds=3)
    assert score.tried == [0, 1, 2, 2, 2]
    assert str(caught.value) == (
        "2 of 9 shards are not scored yet (no server may be asked now); what is done is kept: "
        "run the same job again when the servers are back and it continues"
    )
    assert isinstance(caught.value.__cause__, PoolUnavailable)
    assert caught.value.shards_left == 2


async def test_a_permanent_error_ends_the_job_at_once() -> None:
    """Shards under way are cancelled, the others are not begun; the error itself is raised."""
    cancelled: list[int] = []
    begun: list[int] = []

    async def score(_hand: Hand, shard: Shard) -> None:
        begun.append(shard.index)
        if shard.index == 1:
            raise ValueError("shard 1 cannot be read")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(shard.index)
            raise

    with pytest.raises(ValueError, match="shard 1 cannot be read"):
        await score_in_rounds(shards(5), score, of=5, in_flight=3, rounds=3)
    assert set(cancelled) == set(begun) - {1}
    assert len(begun) <= 3


async def test_cancelling_the_job_cancels_its_shards() -> None:
    """And nothing else is raised."""
    score = Scorer()
    running = asyncio.create_task(
        score_in_rounds(shards(1000), score, of=1000, in_flight=4, rounds=1), name="job"
    )
    await asyncio.sleep(0.001)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert score.running == 0


def test_the_first_error_of_groups_in_groups() -> None:
    """The others follow from it."""
    first = ServerUnreachable("gone")
    inner = ExceptionGroup("inner", [first, ValueError("late")])
    assert first_error(ExceptionGroup("outer", [inner])) is first
    assert first_error(first) is first
