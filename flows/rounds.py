"""Hand out shards until each is committed, in rounds that outlast a pool's absence."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from flows.errors import JobUnfinished
from flows.shards.types import Shard
from inference.errors import TransientError

ScoreShard = Callable[[Shard], Awaitable[None]]
"""Scores and commits one shard, with its own retries."""


async def score_in_rounds(
    shards: Sequence[Shard], score: ScoreShard, *, of: int, in_flight: int, rounds: int
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
    shards: Sequence[Shard], score: ScoreShard, *, in_flight: int
) -> tuple[Sequence[Shard], TransientError | None]:
    """Return the shards that are left, with why."""
    waiting = iter(shards)
    deferred: list[Shard] = []
    causes: list[TransientError] = []

    async def work() -> None:
        for shard in waiting:
            if causes:
                deferred.append(shard)
                continue
            try:
                await score(shard)
            except TransientError as error:
                causes.append(error)
                deferred.append(shard)

    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(min(in_flight, len(shards))):
                workers.create_task(work())
    except BaseExceptionGroup as group:
        raise first_error(group) from group
    return deferred, causes[-1] if causes else None


def first_error(error: BaseException) -> BaseException:
    """Return the first error of a task group: the others follow from it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
