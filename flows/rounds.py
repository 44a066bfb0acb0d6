"""Hand out shards until each is committed, in rounds that outlast a pool's absence."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from flows.errors import JobUnfinished
from flows.shards.types import Shard
from inference.errors import TransientError


class Hand:
    """Hold the one shard that a worker scores, and take it the next from those not begun."""

    def __init__(self, waiting: deque[Shard]) -> None:
        self._waiting = waiting
        self.shard: Shard | None = None
        """The shard that is being scored, or could not be."""

    def take(self) -> Shard | None:
        """Return the shard in hand, else the next one; None when nothing more is handed out."""
        if self.shard is None and self._waiting:
            self.shard = self._waiting.popleft()
        return self.shard

    def drop(self) -> None:
        """Let go of the shard in hand, which is committed."""
        self.shard = None


ScoreShards = Callable[[Hand, Shard], Awaitable[None]]
"""Scores and commits the shard in hand, with its own retries; then takes others, if it likes."""


async def score_in_rounds(
    shards: Sequence[Shard], score: ScoreShards, *, of: int, in_flight: int, rounds: int
) -> None:
    """Score all `shards`, what is left of a job of `of`, at most `in_flight` at the same time.

    A shard whose retries did not outlast the pool's absence is deferred to the next round, with
    all that were not begun: what one found, the others would find as well. Raises
    `JobUnfinished` after the last round, and any error that is not transient at once, when the
    shards under way were cancelled.
    """
    left: Sequence[Shard] = shards
    cause: TransientError | None = None
    for _ in range(rounds):
        left, cause = await _round(left, score, in_flight=in_flight)
        if cause is None:
            return
    raise JobUnfinished(shards_left=len(left), shards=of, cause=str(cause)) from cause


async def _round(
    shards: Sequence[Shard], score: ScoreShards, *, in_flight: int
) -> tuple[Sequence[Shard], TransientError | None]:
    """Return the shards that are left, with why."""
    waiting = deque(shards)
    not_begun: list[Shard] = []
    causes: list[TransientError] = []

    async def work(hand: Hand) -> None:
        while not causes and (shard := hand.take()) is not None:
            try:
                await score(hand, shard)
            except TransientError as error:
                causes.append(error)
                not_begun.extend(waiting)
                waiting.clear()

    hands = [Hand(waiting) for _ in range(min(in_flight, len(shards)))]
    try:
        async with asyncio.TaskGroup() as workers:
            for hand in hands:
                workers.create_task(work(hand))
    except BaseExceptionGroup as group:
        raise first_error(group) from group
    deferred = [hand.shard for hand in hands if hand.shard is not None]
    return deferred + not_begun, causes[-1] if causes else None


def first_error(error: BaseException) -> BaseException:
    """Return the first error of a task group: the others follow from it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
