"""Ask a second server where the first one takes unusually long."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from inference.admission import Admission, RetryTurns
from inference.attempt import Attempts, Failed
from inference.errors import ServerFault
from inference.retries import HedgeBudget
from inference.router import Router, Ticket
from inference.settings import InferenceSettings
from inference.tensors import InferAnswer, InferRequest

MayRepeat = Callable[[], Awaitable[bool]]
"""Says whether a request that is under way may be sent once more."""


@dataclass(slots=True)
class _Race:
    """A request that may be at two servers."""

    ticket: Ticket
    """Its first place."""
    request: InferRequest
    """What is asked."""
    deadline: float
    """When the caller gives up."""
    may_repeat: MayRepeat
    """Whether it may be sent twice."""
    wait: asyncio.Timeout
    """The wait for the first answer, which the second one ends."""
    timer: asyncio.TimerHandle | None = None
    """When the second request is due."""
    second: asyncio.Task[InferAnswer | Failed | None] | None = None
    """The second request."""
    answer: InferAnswer | None = None
    """Its answer, where that came first."""
    ended: bool = False
    """Whether the first one has ended."""


class Hedging:
    """Hedged requests (Dean and Barroso, "The tail at scale", 2013): the first answer counts.

    The second request leaves when the others' answers usually are there, within a budget of a few
    per cent of all requests; where that is spent, at half of the caller's time, as one of the
    retries. It goes to a server that has nothing against it and room that nobody waits for. Who
    loses is cancelled, which says nothing to its breaker; a first server that loses counts as
    slower.
    """

    def __init__(
        self,
        router: Router,
        admission: Admission,
        attempts: Attempts,
        turns: RetryTurns,
        settings: InferenceSettings,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._router = router
        self._admission = admission
        self._attempts = attempts
        self._turns = turns
        self._floor_s = settings.hedge_floor_s
        self._budget = HedgeBudget(fraction=settings.hedge_fraction, most=settings.hedge_burst)
        self._clock = clock
        self.sent = 0
        """Second requests."""
        self.won = 0
        """Second requests that were answered first."""

    async def make(
        self, ticket: Ticket, request: InferRequest, deadline: float, may_repeat: MayRepeat
    ) -> InferAnswer | Failed:
        """Send the request to the ticket's server, and perhaps to another one."""
        if len(self._router.routes) == 1:
            return await self._attempts.make(ticket, request, deadline)
        self._budget.earn()
        race = _Race(ticket, request, deadline, may_repeat, asyncio.timeout(None))
        half_s = max((deadline - self._clock()) / 2, 0.0)
        due_s = min(self._usual_s(ticket), half_s)
        loop = asyncio.get_running_loop()
        race.timer = loop.call_later(due_s, self._start, race, half_s - due_s)
        try:
            async with race.wait:
                outcome = await self._attempts.make(ticket, request, deadline)
            race.ended = True
            return await self._settle(race, outcome)
        except TimeoutError:
            if race.answer is None:
                raise
            self.won += 1
            self._router.outrun(ticket, self._clock())
            return race.answer
        finally:
            race.timer.cancel()
            await _cancelled(race.second)

    def _usual_s(self, ticket: Ticket) -> float:
        """Return when another server's answer usually is there; infinite when nothing is known."""
        now, routes = self._clock(), self._router.routes
        others = [i for i in range(len(routes)) if i != ticket.server]
        known = [
            usual_s
            for i in others
            if routes[i].works(ticket.model, now)
            and (latencies := routes[i].latencies.get(ticket.model)) is not None
            and (usual_s := latencies.usual_s) is not None
        ]
        return max(min(known), self._floor_s) if known else float("inf")

    def _start(self, race: _Race, left_s: float) -> None:
        """Send the second request, or look again at half of the caller's time."""
        if self._budget.spend():
            second = self._second(race)
        elif left_s <= 0:
            second = self._in_turn(race)
        else:
            race.timer = asyncio.get_running_loop().call_later(left_s, self._start, race, 0.0)
            return
        race.second = asyncio.create_task(second, name="hedge")

    async def _in_turn(self, race: _Race) -> InferAnswer | Failed | None:
        """Send the second request as one of the retries."""
        try:
            await self._turns.take(wait_s=race.deadline - self._clock())
        except TimeoutError:
            return None
        try:
            return await self._second(race)
        finally:
            self._turns.give_back()

    async def _second(self, race: _Race) -> InferAnswer | Failed | None:
        """Return how the second request ended; None where it was not sent."""
        ticket = await self._place(race)
        if ticket is None:
            return None
        self.sent += 1
        outcome = await self._attempts.make(ticket, race.request, race.deadline)
        if isinstance(outcome, InferAnswer) and not race.ended:
            race.answer = outcome
            race.wait.reschedule(asyncio.get_running_loop().time())
        return outcome

    async def _place(self, race: _Race) -> Ticket | None:
        if not await race.may_repeat() or self._admission.waiting:
            return None
        ticket = race.ticket
        return self._router.take_spare(self._clock(), ticket.model, (ticket.server,))

    async def _settle(self, race: _Race, outcome: InferAnswer | Failed) -> InferAnswer | Failed:
        """Return the first outcome, or for a failure the answer of the second request."""
        if isinstance(outcome, InferAnswer) or race.second is None:
            return outcome
        other = await race.second
        if not isinstance(other, InferAnswer):
            return outcome
        self.won += 1
        if isinstance(outcome.error, ServerFault):
            self._attempts.blame([outcome.server])
        return other


async def _cancelled(task: "asyncio.Task[InferAnswer | Failed | None] | None") -> None:
    """End a task that nobody waits for any more."""
    if task is not None and not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
