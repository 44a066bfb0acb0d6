"""Make one try of a request on one server, telling the router how it ended."""

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
    ServerUnreachable,
)
from inference.router import ModelKey, Router, Ticket
from inference.server import Server
from inference.settings import InferenceSettings
from inference.tensors import InferAnswer, InferRequest


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
        settings: InferenceSettings,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._servers = servers
        self._router = router
        self._admission = admission
        self._settings = settings
        self._clock = clock
        self.overloads = 0
        """Refusals for too much to do."""
        self.failures = 0
        """Tries that ended in another error."""

    async def make(
        self, ticket: Ticket, request: InferRequest, deadline: float
    ) -> InferAnswer | Failed:
        """Send the request to the ticket's server."""
        server = self._servers[ticket.server]
        left_s = deadline - self._clock()
        timeout_s = max(min(self._settings.attempt_timeout_s, left_s), 0.001)
        verdict = Verdict.UNKNOWN
        overloaded = False
        try:
            answer = await server.infer(request, timeout_s=timeout_s)
            verdict = Verdict.SUCCESS
            return answer
        except ServerOverloaded as error:
            overloaded = True
            return Failed(ticket.server, error)
        except InferenceError as error:
            self.failures += 1
            verdict = await self._judge(error, ticket.server, request, timeout_s)
            return Failed(ticket.server, error)
        finally:
            self._end(ticket, verdict, overloaded=overloaded)

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
                self._end(ticket, verdict, overloaded=False)
        return ready

    def blame(self, servers: Iterable[int]) -> None:
        """Count a fault against servers that failed where another one answered."""
        for server in servers:
            self._router.blame(server, self._clock())

    def _end(self, ticket: Ticket, verdict: Verdict, *, overloaded: bool) -> None:
        if overloaded:
            self.overloads += 1
            self._router.overloaded(ticket, self._clock())
        else:
            self._router.done(ticket, verdict, self._clock())
        self._admission.dispatch()

    async def _judge(
        self, error: InferenceError, index: int, request: InferRequest, timeout_s: float
    ) -> Verdict:
        """Return what an error says about the server.

        The cases:
        1. it could not be reached: a failure
        2. it was late: a failure, unless the caller left it hardly any time
        3. the model is not ready, or the server failed at it: ask for readiness. A fault of a
           server that is ready may be the rows' doing: it says nothing, until `blame` counts
           it because another server answered the same rows
        4. refused before it was sent: nothing
        5. any other answer: it lives
        """
        if isinstance(error, ServerUnreachable):
            return Verdict.FAILURE
        if isinstance(error, DeadlineExceeded):
            patient = timeout_s >= self._settings.breaker_timeout_floor_s
            return Verdict.FAILURE if patient else Verdict.UNKNOWN
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
