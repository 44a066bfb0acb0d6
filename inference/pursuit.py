"""Pursue a request over the servers of a pool until it is answered."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from inference.admission import RetryTurns
from inference.attempt import Attempts, Failed
from inference.errors import InferenceError, ServerFault
from inference.hedging import Hedging, MayRepeat
from inference.placement import Placement, no_place
from inference.retries import Course, Step
from inference.settings import InferenceSettings
from inference.tensors import InferAnswer, InferRequest


class Pursuit:
    """Tries of requests, one after the other, each on a server that is fit for it."""

    def __init__(
        self,
        placement: Placement,
        attempts: Attempts,
        hedging: Hedging,
        turns: RetryTurns,
        settings: InferenceSettings,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._placement = placement
        self._attempts = attempts
        self._hedging = hedging
        self._turns = turns
        self._settings = settings
        self._clock = clock
        self.retries = 0
        """Tries on another server."""

    async def follow(
        self, request: InferRequest, limit_s: float, *, strict: bool, hedge: MayRepeat | None
    ) -> InferAnswer:
        """Try until there is an answer, or the course of the tries says to raise.

        The wait for the first place counts toward the limit only when that is `strict`: who has
        waited for long must not be given up on sooner.
        """
        deadline = self._clock() + limit_s
        course = Course(self._settings.max_attempts, request.rows)
        avoid: set[int] = set()
        faulted: set[int] = set()
        error: InferenceError | None = None
        step = Step.SHIFT
        while True:
            async with self._turn(step, deadline, error):
                ticket = await self._placement.find(request, avoid, deadline, error)
                if error is None and not strict:
                    deadline = self._clock() + limit_s
                if hedge is None:
                    outcome = await self._attempts.make(ticket, request, deadline)
                else:
                    outcome = await self._hedging.make(ticket, request, deadline, hedge)
            if isinstance(outcome, InferAnswer):
                self._attempts.blame(faulted - {ticket.server})
                return outcome
            error = outcome.error
            step = course.after(error)
            if step is Step.RAISE or self._clock() >= deadline:
                raise error
            self._note(outcome, step, avoid, faulted)

    def _note(self, failed: Failed, step: Step, avoid: set[int], faulted: set[int]) -> None:
        if step is Step.ELSEWHERE:
            self.retries += 1
            avoid.add(failed.server)
        if isinstance(failed.error, ServerFault):
            faulted.add(failed.server)

    @asynccontextmanager
    async def _turn(
        self, step: Step, deadline: float, error: InferenceError | None
    ) -> AsyncIterator[None]:
        if step is not Step.ELSEWHERE:
            yield
            return
        try:
            await self._turns.take(wait_s=deadline - self._clock())
        except TimeoutError:
            raise error or no_place() from error
        try:
            yield
        finally:
            self._turns.give_back()
