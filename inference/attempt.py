"""Make one try of a request on one server, telling the router how it ended."""

import asyncio
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from inference.admission import Admission
from inference.breaker import Verdict
from inference.errors import (
    DeadlineExceeded,
    InferenceError,
    ModelNotReady,
    ServerFault,
    ServerOverloaded,
    ServerSlow,
    ServerUnreachable,
)
from inference.pace import Pace
from inference.route import ModelKey
from inference.router import Router, Ticket
from inference.server import Server
from inference.settings import InferenceSettings
from inference.tensors import InferAnswer, InferRequest

_LEAST_PROMPT_S = 0.5
"""A caller in more of a hurry than twice this says nothing of the server."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A try that gave no answer."""

    server: int
    """Which server, by its position in the pool."""
    error: InferenceError
    """What it ended with."""


class Attempts:
    """Spend tickets: each is ended exactly once, also when the caller is cancelled."""

    def __init__(
        self,
        servers: Sequence[Server],
        router: Router,
        admission: Admission,
        pace: Pace,
        settings: InferenceSettings,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._servers = servers
        self._router = router
        self._admission = admission
        self._pace = pace
        self._settings = settings
        self._clock = clock
        self._waits: list[set[asyncio.Timeout]] = [set() for _ in servers]
        self.overloads = 0
        """Refusals for too much to do, late answers of servers that live included."""
        self.failures = 0
        """Tries that ended in another error."""
        self._answered_at = [-math.inf] * len(servers)

    def answered_since(self, then: float) -> bool:
        """Say whether any server has answered a request since."""
        return max(self._answered_at) > then

    async def make(
        self, ticket: Ticket, request: InferRequest, deadline: float
    ) -> InferAnswer | Failed:
        """Send the request to the ticket's server."""
        left_s = deadline - self._clock()
        timeout_s = max(min(self._settings.attempt_timeout_s, left_s), 0.001)
        # Only of a caller who gives his own deadline: batch has all night.
        prompt_s = max(left_s / 2, _LEAST_PROMPT_S) if request.raw else math.inf
        verdict = Verdict.UNKNOWN
        error: InferenceError | None = None
        try:
            answer = await self._ask(ticket.server, request, timeout_s)
            verdict = Verdict.SUCCESS
            self._note_answer(ticket, request)
            return answer
        except DeadlineExceeded as late:
            error = await self._judge_late(late, ticket, request, timeout_s)
            verdict = self._verdict_on_late(error, timeout_s)
            return Failed(ticket.server, error)
        except InferenceError as failed:
            error = failed
            verdict = await self._judge(failed, ticket.server, request)
            return Failed(ticket.server, failed)
        finally:
            self._end(ticket, verdict, error, prompt_s)

    def give_up(self, server: int) -> None:
        """Wait no longer for what a server has in flight, so that it is asked for elsewhere."""
        waits = self._waits[server]
        while waits:
            waits.pop().reschedule(asyncio.get_running_loop().time())

    async def probe(self, ticket: Ticket, key: ModelKey) -> bool:
        """Ask for readiness before a half-open server gets a real request.

        When it is not ready the ticket is ended, and the request should go elsewhere: a
        caller must not pay for finding out.
        """
        server = self._servers[ticket.server]
        verdict = Verdict.UNKNOWN
        ready = False
        try:
            ready = await server.model_ready(*key)
            verdict = Verdict.ALIVE if ready or await server.live() else Verdict.FAILURE
        finally:
            if not ready:
                lacking = verdict is Verdict.ALIVE
                if lacking:
                    self._router.mark(ticket.server, key, self._clock(), ready=False)
                self._end(ticket, verdict)
        return ready

    def blame(self, servers: Iterable[int]) -> None:
        """Count a fault against servers that failed where another one answered."""
        for server in servers:
            self._router.blame(server, self._clock())

    def _end(
        self,
        ticket: Ticket,
        verdict: Verdict,
        error: InferenceError | None = None,
        prompt_s: float = math.inf,
    ) -> None:
        if isinstance(error, ServerOverloaded):
            self.overloads += 1
            self._router.overloaded(ticket, self._clock())
        elif isinstance(error, ServerSlow):
            self.overloads += 1
            self._router.slow(ticket, self._clock())
        else:
            self.failures += error is not None
            self._router.done(ticket, verdict, self._clock(), prompt_s=prompt_s)
        self._admission.dispatch()

    async def _ask(self, index: int, request: InferRequest, timeout_s: float) -> InferAnswer:
        server = self._servers[index]
        wait = asyncio.timeout(None)
        try:
            async with wait:
                self._waits[index].add(wait)
                try:
                    return await server.infer(request, timeout_s=timeout_s)
                finally:
                    self._waits[index].discard(wait)
        except TimeoutError as given_up:
            raise ServerUnreachable(
                f"{server.url}: given up on, it answers no probe", server=server.url
            ) from given_up

    def _note_answer(self, ticket: Ticket, request: InferRequest) -> None:
        key = (request.model, request.version)
        own_s, queue_s = self._own_s(ticket), self._queue_s(ticket)
        self._answered_at[ticket.server] = now = self._clock()
        self._pace.answered(
            key, request.rows, server=ticket.server, own_s=own_s, queue_s=queue_s, now=now
        )

    def _queue_s(self, ticket: Ticket) -> float:
        """Return how long as many requests like this one take as may be in flight at a time."""
        window = self._router.routes[ticket.server].window.size
        return self._own_s(ticket) * max(window, self._settings.window_initial)

    def _own_s(self, ticket: Ticket) -> float:
        """Return how long the server took for this request.

        A server answers one after the other: it had no more time for this one than since its
        last answer. One that works on several at a time took as long for all that were in flight.
        """
        now = self._clock()
        since_last_s = now - max(ticket.sent_at, self._answered_at[ticket.server])
        return max(since_last_s, (now - ticket.sent_at) / ticket.depth)

    async def _judge_late(
        self, late: DeadlineExceeded, ticket: Ticket, request: InferRequest, timeout_s: float
    ) -> DeadlineExceeded:
        """Tell a slow server, which gets less to do, from a stuck one.

        The cases:
        1. the caller left it hardly any time: nothing can be told
        2. it answered nothing since, and another server did: stuck, whatever its probes say
        3. it answered nothing since, and had a single row to do: nothing less can be asked
        4. it answers no probe: stuck
        5. else it is slow

        An online caller's own deadline says nothing of 3, and there is no time left for 4: the
        background probes tell.
        """
        if timeout_s < self._settings.breaker_timeout_floor_s:
            return late
        key, server = (request.model, request.version), self._servers[ticket.server]
        since = {i for i, at in self._pace.answered_at(key).items() if at > ticket.sent_at}
        hurried = bool(request.raw) and timeout_s < self._settings.attempt_timeout_s
        least = request.rows == 1 and ticket.depth == 1 and not hurried
        hopeless = ticket.server not in since and (bool(since) or least)
        rows = "1 row" if request.rows == 1 else f"{request.rows:,} rows"
        words = (
            f"{server.url}: no answer to a microbatch of {rows} within {timeout_s:.3g} s, of "
            f"{self._settings.attempt_timeout_s:g} s allowed (NIGHTSHIFT_ATTEMPT_TIMEOUT_S)"
        )
        silent = not (hopeless or hurried) and await self._is_silent(ticket.server, key)
        if hopeless or silent:
            return DeadlineExceeded(words, server=server.url)
        self._pace.late(key, request.rows, queue_s=self._queue_s(ticket))
        return ServerSlow(
            f"{words}, though the server lives: allow more time if a row takes that long",
            server=server.url,
        )

    async def _is_silent(self, server: int, key: ModelKey) -> bool:
        return await self._recheck(server, key) is Verdict.FAILURE

    def _verdict_on_late(self, error: DeadlineExceeded, timeout_s: float) -> Verdict:
        hurried = timeout_s < self._settings.breaker_timeout_floor_s
        return Verdict.UNKNOWN if hurried or isinstance(error, ServerSlow) else Verdict.FAILURE

    async def _judge(self, error: InferenceError, index: int, request: InferRequest) -> Verdict:
        """Return what an error says about the server.

        The cases:
        1. it could not be reached: a failure
        2. the model is not ready, or the server failed at it: ask for readiness. A fault of a
           server that is ready may be the rows' doing: it says nothing, until `blame` counts
           it because another server answered the same rows
        3. refused before it was sent: nothing
        4. any other answer: it lives
        """
        if isinstance(error, ServerUnreachable):
            return Verdict.FAILURE
        if isinstance(error, ModelNotReady | ServerFault):
            verdict = await self._recheck(index, (request.model, request.version))
            unclear = isinstance(error, ServerFault) and verdict is Verdict.ALIVE
            return Verdict.UNKNOWN if unclear else verdict
        return Verdict.UNKNOWN if error.server is None else Verdict.ALIVE

    async def _recheck(self, index: int, key: ModelKey) -> Verdict:
        server = self._servers[index]
        if await server.model_ready(*key):
            return Verdict.ALIVE
        if not await server.live():
            return Verdict.FAILURE
        self._router.mark(index, key, self._clock(), ready=False)
        return Verdict.ALIVE
