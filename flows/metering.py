"""Measure what a run does to score, in this process as in the servers."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flows.bottleneck import Bound, Places, Work, find_bound, stage_times
from flows.progress import JobProgress
from flows.settings import ScoringSettings
from flows.shards.commit import Adopted, Committed
from inference.errors import InferenceError
from inference.health import PoolHealth
from inference.pool import Pool
from inference.server import ModelStatistics, Server
from registry.domain import ModelVersion

Statistics = Mapping[str, ModelStatistics]
"""What each server has done with the model, by its address."""


@dataclass(frozen=True, slots=True)
class Meter:
    """Where the counters stood when scoring began."""

    pool: Pool
    """The servers."""
    model: ModelVersion
    """What they serve."""
    statistics: Statistics | None
    """What they had done with it; None when one of them did not tell."""
    health: PoolHealth
    """What the pool had asked of them."""

    @classmethod
    async def begin(cls, pool: Pool, model: ModelVersion) -> "Meter":
        """Look at the counters."""
        statistics = await read_statistics(pool.servers, model.served_name, model.served_version)
        return cls(pool, model, statistics, pool.health())

    async def end(
        self,
        scored: Sequence[Committed | Adopted],
        progress: JobProgress,
        settings: ScoringSettings,
        *,
        processes: int = 1,
        on_workers: bool = False,
    ) -> Work:
        """Look again; `scored` is what was done in between, by so many `processes`.

        What other processes asked for is not counted: with `on_workers`, all that the servers
        answered is taken for this run's. Fails open: figures alone need it.
        """
        own = [done.record.provenance for done in scored if isinstance(done, Committed)]
        if not own:
            return Work(stages=(), bound=None, foreign_requests=0)
        model, pool = self.model, self.pool
        now = await read_statistics(pool.servers, model.served_name, model.served_version)
        served = served_between(self.statistics, now)
        places = Places(
            shards=min(settings.shards_in_flight * processes, len(own)),
            answers=settings.microbatches_in_flight,
        )
        stages = stage_times(progress.stages, served, places, worked=progress.worked)
        rows = sum(part.rows_in for part in own)
        foreign = 0
        if served and not on_workers:
            foreign = max(served.requests - _asked(self.health, pool.health()), 0)
        return Work(
            stages=stages,
            bound=find_bound(
                stages,
                rows=rows,
                scoring_s=progress.seconds()["score"],
                cores=_own_cores(),
                served_others=foreign > 0 or on_workers,
            ),
            foreign_requests=foreign,
            own_share=1 - foreign / served.requests if served and served.requests else 1.0,
        )


def bound_so_far(progress: JobProgress, settings: ScoringSettings) -> Bound | None:
    """Return what bounds the shards that are committed so far; servers are not asked."""
    places = Places(shards=settings.shards_in_flight, answers=settings.microbatches_in_flight)
    return find_bound(
        stage_times(progress.stages, None, places, worked=progress.worked),
        rows=progress.snapshot().rows_done,
        scoring_s=progress.seconds().get("score", 0.0),
        cores=_own_cores(),
        served_others=False,
    )


def _own_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _asked(before: PoolHealth, now: PoolHealth) -> int:
    """Return the most requests that the pool can have had answered in between."""
    first, last = (
        health.requests + health.retries + health.overloads + health.failures
        for health in (before, now)
    )
    return last - first


async def read_statistics(servers: Sequence[Server], model: str, version: str) -> Statistics | None:
    """Ask each server what it has done with the model.

    None when one of them does not tell: the sum would be too small. Fails open, as figures alone
    depend on it.
    """
    told = await asyncio.gather(*(_ask(server, model, version) for server in servers))
    known = {server.url: each for server, each in zip(servers, told, strict=True) if each}
    return known if len(known) == len(servers) else None


async def _ask(server: Server, model: str, version: str) -> ModelStatistics | None:
    try:
        return await server.statistics(model, version)
    except InferenceError:
        return None


def served_between(before: Statistics | None, after: Statistics | None) -> ModelStatistics | None:
    """Return what the servers did in between, all together; None when it is not known.

    A server that counts less than before was started again meanwhile, and counts from zero.
    """
    if not before or not after:
        return None
    done = [
        _since(now, before[url]) if now.requests >= before[url].requests else now
        for url, now in after.items()
    ]
    return ModelStatistics(
        requests=sum(each.requests for each in done),
        inside_s=sum(each.inside_s for each in done),
        queue_s=sum(each.queue_s for each in done),
        busy_s=sum(each.busy_s for each in done),
        instances=sum(each.instances for each in done),
    )


def _since(now: ModelStatistics, before: ModelStatistics) -> ModelStatistics:
    return ModelStatistics(
        requests=now.requests - before.requests,
        inside_s=now.inside_s - before.inside_s,
        queue_s=now.queue_s - before.queue_s,
        busy_s=now.busy_s - before.busy_s,
        instances=now.instances,
    )
