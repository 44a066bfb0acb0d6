"""Let requests wait for their turn, first by priority, then in the order they came."""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from inference.breaker import Verdict
from inference.queueing import meet
from inference.retries import RetryBudget
from inference.route import ModelKey
from inference.router import AllOpen, Exhausted, Router, Ticket, Wait

Decision = Ticket | AllOpen | Exhausted


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the router's choice depends on: who wishes the same waits for the same."""

    model: ModelKey
    avoid: frozenset[int]


@dataclass(order=True, slots=True)
class _Waiter:
    priority: int
    arrival: int
    decision: asyncio.Future[Decision] = field(compare=False)


class Admission:
    """Give each waiting request the router's choice as soon as it is not `Wait`.

    A place is handed straight to the request that waited for it, so a newcomer cannot take
    it, and a request that is cancelled in the same moment gives it back.
    """

    def __init__(
        self, router: Router, *, clock: Callable[[], float], before: "Admission | None" = None
    ) -> None:
        """`before` hands out places at some of the same servers; who waits there is first."""
        self._router = router
        self._clock = clock
        self._beside: list[Admission] = [] if before is None else before._beside
        self._beside.append(self)
        self._waiting: dict[_Wish, list[_Waiter]] = {}
        self._arrivals = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Requests that wait for a place."""
        waiters = itertools.chain.from_iterable(self._waiting.values())
        return sum(not waiter.decision.done() for waiter in waiters)

    def waiting_before(self, model: ModelKey, priority: int) -> int:
        """Return how many go before a newcomer, at servers that it may be sent to."""
        now, routes = self._clock(), self._router.routes
        return sum(
            waiter.priority <= max(priority, 1) and not waiter.decision.done()
            for wish, waiters in self._waiting.items()
            if meet(routes, model, wish.model, now)
            for waiter in waiters
        )

    async def admit(
        self, model: ModelKey, *, avoid: frozenset[int], priority: int, wait_s: float
    ) -> Decision:
        """Return a place in flight, or why there is none; raises `TimeoutError`."""
        if not any(each._waiting for each in self._beside):
            choice = self._router.choose(self._clock(), model, avoid)
            if not isinstance(choice, Wait):
                return choice
        decision: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(max(priority, 1), next(self._arrivals), decision)
        heapq.heappush(self._waiting.setdefault(_Wish(model, avoid), []), waiter)
        self.dispatch()
        if decision.done():
            return decision.result()
        try:
            async with asyncio.timeout(wait_s):
                return await decision
        except (TimeoutError, asyncio.CancelledError):
            self._withdraw(waiter)
            raise

    def dispatch(self) -> None:
        """Decide again for those who wait; to be called after every change of the router."""
        for admission in self._beside:
            admission._decide()

    def close(self) -> None:
        """Hand out nothing any more by itself."""
        self._stop_timer()
        if self in self._beside:
            self._beside.remove(self)

    def _decide(self) -> None:
        """Give those who wait what the router chooses.

        Each wish is asked for until it must wait, so the cost is that of the places given,
        however many wait.
        """
        self._stop_timer()
        now = self._clock()
        waits: list[Wait] = []
        firsts = [(first, wish) for wish in tuple(self._waiting) if (first := self._first(wish))]
        heapq.heapify(firsts)
        while firsts:
            waiter, wish = heapq.heappop(firsts)
            choice = self._router.choose(now, wish.model, wish.avoid)
            if isinstance(choice, Wait):
                waits.append(choice)
                continue
            waiter.decision.set_result(choice)
            if (following := self._first(wish)) is not None:
                heapq.heappush(firsts, (following, wish))
        self._wake_at(min((w.until for w in waits if w.until is not None), default=None), now)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _first(self, wish: _Wish) -> _Waiter | None:
        """Return who is next with this wish, forgetting those who are served or gone."""
        queue = self._waiting[wish]
        while queue and queue[0].decision.done():
            heapq.heappop(queue)
        if queue:
            return queue[0]
        del self._waiting[wish]
        return None

    def _wake_at(self, until: float | None, now: float) -> None:
        if until is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(until - now, 0.0), self.dispatch)

    def _withdraw(self, waiter: _Waiter) -> None:
        decision = waiter.decision
        if decision.done() and not decision.cancelled():
            given = decision.result()
            if isinstance(given, Ticket):
                self._router.done(given, Verdict.UNKNOWN, self._clock())
                self.dispatch()
        decision.cancel()


class RetryTurns:
    """Let a retry wait until the budget allows it.

    Refusing it at once would fail half of a pool's requests when one of two servers dies; to
    wait keeps the bound on retries at one time, which is what protects the other servers.
    """

    def __init__(self, budget: RetryBudget) -> None:
        self._budget = budget
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def active(self) -> int:
        """Requests that run."""
        return self._budget.active

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count a request as running."""
        self._budget.active += 1
        self._wake()
        try:
            yield
        finally:
            self._budget.active -= 1

    async def take(self, *, wait_s: float) -> None:
        """Wait for a retry's turn; raises `TimeoutError` when it does not come in time."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._wake()
        if turn.done():
            return
        try:
            async with asyncio.timeout(wait_s):
                await turn
        except (TimeoutError, asyncio.CancelledError):
            if turn.done() and not turn.cancelled():
                self.give_back()
            turn.cancel()
            raise

    def give_back(self) -> None:
        """End a retry's turn."""
        self._budget.retrying -= 1
        self._wake()

    def _wake(self) -> None:
        while self._waiting and (self._waiting[0].done() or self._budget.allows()):
            turn = self._waiting.popleft()
            if not turn.done():
                self._budget.retrying += 1
                turn.set_result(None)
