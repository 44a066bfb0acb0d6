"""Send requests to a pool of servers as if it were one that does not fail."""

import asyncio
import random as random_source
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Self

from inference.admission import Admission, RetryTurns
from inference.attempt import Attempts
from inference.errors import InferenceError, ServerOverloaded, ServerSlow
from inference.foresight import Foreseen, foreseen
from inference.giving_way import GivingWay
from inference.health import PoolHealth, ServerHealth
from inference.hedging import Hedging, MayRepeat
from inference.pace import Pace
from inference.placement import NoPlace, Placement
from inference.pursuit import Pursuit
from inference.queueing import wait_s
from inference.retries import RetryBudget
from inference.route import Route
from inference.router import Router
from inference.router_limits import prompt_s, router_limits
from inference.server import Server
from inference.settings import InferenceSettings
from inference.survey import Survey
from inference.tensors import InferAnswer, InferRequest
from inference.triton import TritonServer
from inference.watch import Watch
from registry.domain import Signature


class Pool:
    """Servers that serve the same models; an async context manager for one event loop.

    It owns its servers and closes them. Cancelling a call cancels the request on its server
    and gives its place to the next.
    """

    def __init__(
        self,
        servers: Sequence[Server],
        settings: InferenceSettings,
        *,
        before: "Pool | None" = None,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_source.random,
    ) -> None:
        """`before` is the pool that this one replaces: what it knows of servers that stay, with
        what it has in flight there, is shared.
        """
        self._servers = tuple(servers)
        self._settings = settings
        self._clock = clock
        self._router = Router(
            len(self._servers),
            router_limits(settings),
            random=random,
            known=before.known(self._servers) if before else {},
        )
        self._admission: Admission = Admission(
            self._router, clock=clock, before=before._admission if before else None
        )
        budget = RetryBudget(
            fraction=settings.retry_budget_fraction, floor=settings.retry_budget_floor
        )
        self._turns = RetryTurns(budget)
        self._pace = Pace(target_s=prompt_s(settings), first_rows=settings.first_rows)
        self._attempts = Attempts(
            self._servers,
            self._router,
            self._admission,
            self._pace,
            settings,
            clock=clock,
        )
        self._placement = Placement(
            self._servers, self._admission, self._attempts, settings, clock=clock, random=random
        )
        self._survey = Survey(self._servers, settings)
        self._watch = Watch(
            self._servers, self._router, self._admission, self._attempts, settings, clock=clock
        )
        self._hedging = Hedging(
            self._router, self._admission, self._attempts, self._turns, settings, clock=clock
        )
        self._pursuit = Pursuit(
            self._placement, self._attempts, self._hedging, self._turns, settings, clock=clock
        )
        self._requests = 0
        self._giving_way = GivingWay(
            self._servers, self._router.routes, queue_s=settings.give_way_queue_s
        )
        self._background: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._background.append(asyncio.create_task(self._watch.run(), name="pool-watch"))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._admission.close()
        try:
            await self._end_background()
        finally:
            for server in self._servers:
                await server.close()

    @property
    def servers(self) -> tuple[Server, ...]:
        """The servers, in the order they were given."""
        return self._servers

    @property
    def busy(self) -> bool:
        """Whether any request is under way."""
        return self._turns.active > 0

    async def infer(
        self,
        request: InferRequest,
        *,
        deadline_s: float | None = None,
        hedge: MayRepeat | None = None,
    ) -> InferAnswer:
        """Run one request on whichever server can.

        With `hedge` a second server is asked where the first takes unusually long, if that says
        that the model may be asked twice at once.

        `deadline_s` bounds everything, waiting and retries included. Without it the settings'
        `request_deadline_s` does, but for waiting for a place while the pool answers others.
        Raises `PoolUnavailable` at once when every breaker is open, `ServerSlow` when fewer rows
        may be answered in time, else the last server's error. Safe to repeat: nothing is written
        anywhere.
        """
        limit_s = self._settings.request_deadline_s if deadline_s is None else deadline_s
        self._requests += 1
        with self._turns.running():
            while True:
                began = self._clock()
                try:
                    return await self._pursuit.follow(
                        request, limit_s, strict=deadline_s is not None, hedge=hedge
                    )
                except (NoPlace, ServerOverloaded, ServerSlow) as error:
                    in_turn = self._clock() < began + limit_s or not _waits(error, request)
                    alone = not self._attempts.answered_since(began)
                    if deadline_s is not None or in_turn or alone:
                        raise

    def wait_s(self, model: str, version: str, *, priority: int) -> float:
        """Return how long a new request is likely to wait for a place where the model is served."""
        key = (model, version)
        ahead = self._admission.waiting_before(key, priority)
        return wait_s(self._router.routes, key, ahead, self._clock()) if ahead else 0.0

    def load(self) -> float:
        """Return how many requests there are to each server, those that wait included."""
        running = sum(route.outstanding for route in self._router.routes)
        return (running + self._admission.waiting) / len(self._servers)

    def foresee(self, model: str, version: str) -> Foreseen:
        """Say which server a request would get now, and why; nothing is changed."""
        return foreseen(self._router, self._servers, (model, version), self._clock())

    def leave(self, urls: Collection[str]) -> None:
        """Give these servers nothing new from now on; what they have is finished."""
        for server, route in zip(self._servers, self._router.routes, strict=True):
            route.leaving = route.leaving or server.url in urls
        self._admission.dispatch()

    def known(self, servers: Sequence[Server]) -> Mapping[int, Route]:
        """Return what is known of those of the servers that are in this pool, by their position."""
        mine = {
            server.url: route
            for server, route in zip(self._servers, self._router.routes, strict=True)
        }
        return {i: mine[each.url] for i, each in enumerate(servers) if each.url in mine}

    def spare(self, model: str, version: str) -> Server | None:
        """Return a server for a request that nobody depends on, to be asked past the pool.

        None where each has something against it or has enough to do.
        """
        if self._admission.waiting:
            return None
        server = self._router.spare(self._clock(), (model, version))
        return None if server is None else self._servers[server]

    def most_rows(self, model: str, version: str) -> int:
        """Return the most rows of the model that will be answered in time, as far as is known."""
        if self._giving_way.now:
            target_s = self._settings.give_way_request_s
            return self._pace.brief_rows((model, version), target_s=target_s)
        return self._pace.most_rows((model, version))

    async def ready(self, model: str, version: str, *, wait_s: float = 0.0) -> bool:
        """Say whether any server has the model ready, waiting for it up to `wait_s`."""
        end = self._clock() + wait_s
        while not await self._watch.ask_all((model, version)):
            left_s = end - self._clock()
            if left_s <= 0:
                return False
            await asyncio.sleep(min(self._settings.probe_interval_s / 4, left_s))
        return True

    async def signature(self, model: str, version: str) -> Signature:
        """Read what the model takes and gives, which must be the same on all who serve it.

        Raises `UnknownModel` when every server that answers lacks it, `SignatureMismatch`
        when two differ, `PoolUnavailable` when none answers.
        """
        return await self._survey.signature(model, version)

    async def metadata_digest(self, model: str, version: str) -> str:
        """Return the digest of what the servers say of the model; raises as `signature`."""
        return await self._survey.metadata_digest(model, version)

    def watch(self, model: str, version: str) -> None:
        """Probe the model on every server in the background, until the pool is closed."""
        self._watch.add((model, version))

    def watch_servers(self) -> None:
        """Probe in the background whether the servers answer, until the pool is closed."""
        self._watch.add_servers()

    def give_way(self) -> None:
        """Have fewer and shorter requests at servers that others use, until the pool is closed.

        For batch: nobody waits for a single one of its requests.
        """
        task = asyncio.create_task(self._giving_way.run(), name="pool-giving-way")
        self._background.append(task)

    def health(self) -> PoolHealth:
        """Return the state of each server with the counts since the start."""
        now = self._clock()
        return PoolHealth(
            servers=tuple(
                ServerHealth(
                    url=server.url,
                    breaker=route.breaker.state(now),
                    outstanding=route.outstanding,
                    window=route.window.size,
                    ewma_s=route.ewma_s,
                    not_ready=tuple(sorted(route.not_ready_until)),
                )
                for server, route in zip(self._servers, self._router.routes, strict=True)
            ),
            waiting=self._admission.waiting,
            requests=self._requests,
            retries=self._pursuit.retries,
            overloads=self._attempts.overloads,
            failures=self._attempts.failures,
            hedges=self._hedging.sent,
            hedges_won=self._hedging.won,
        )

    async def _end_background(self) -> None:
        """Stop what runs in the background; raises what it died of, if it did."""
        tasks, self._background = self._background, []
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended


def _waits(error: InferenceError, request: InferRequest) -> bool:
    """Say whether a request that was not answered has but to wait for its turn."""
    return not isinstance(error, ServerSlow) or request.rows == 1


def open_pool(settings: InferenceSettings) -> Pool:
    """Return the pool of the Triton servers that the settings name, to be entered."""
    return Pool([TritonServer(url, settings=settings) for url in settings.triton_urls], settings)
