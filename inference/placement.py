"""Find a place for a request on a server that is fit for it."""

import asyncio
from collections.abc import Callable, Sequence

from inference.admission import Admission
from inference.attempt import Attempts
from inference.errors import DeadlineExceeded, InferenceError, ModelNotReady, PoolUnavailable
from inference.route import ModelKey
from inference.router import AllOpen, Exhausted, Ticket
from inference.server import Server
from inference.settings import InferenceSettings
from inference.tensors import InferRequest


class NoPlace(DeadlineExceeded):
    """The request was not sent: every server had enough to do."""


def no_place() -> NoPlace:
    """Return the error of a request whose deadline passed before it was sent."""
    return NoPlace("the request's deadline passed while it waited for a server")


class Placement:
    """Places on the servers of one pool."""

    def __init__(
        self,
        servers: Sequence[Server],
        admission: Admission,
        attempts: Attempts,
        settings: InferenceSettings,
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._servers = servers
        self._admission = admission
        self._attempts = attempts
        self._settings = settings
        self._clock = clock
        self._random = random

    async def find(
        self,
        request: InferRequest,
        avoid: set[int],
        deadline: float,
        error: InferenceError | None,
    ) -> Ticket:
        """Wait for a place; `avoid` are servers that failed, `error` is what the last one said.

        When every server was tried and failed, all may be tried again after a pause, except
        where that would only double a server's work or where none has the model. Raises `error`
        or `NoPlace` at the deadline, and why there is no place at all.
        """
        key = (request.model, request.version)
        while True:
            try:
                choice = await self._admission.admit(
                    key,
                    avoid=frozenset(avoid),
                    priority=request.priority,
                    wait_s=deadline - self._clock(),
                )
            except TimeoutError:
                raise error or no_place() from error
            if isinstance(choice, Ticket):
                if not choice.permit.probe or await self._attempts.probe(choice, key):
                    return choice
                continue
            if isinstance(choice, Exhausted) and _may_repeat(choice, avoid, error):
                await self._pause(deadline)
                avoid.clear()
                continue
            raise self._no_server(choice, key, error) from error

    async def _pause(self, deadline: float) -> None:
        pause_s = self._settings.backoff_base_s * (1 + self._random())
        await asyncio.sleep(min(pause_s, max(0.0, deadline - self._clock())))

    def _no_server(
        self, choice: AllOpen | Exhausted, key: ModelKey, error: InferenceError | None
    ) -> InferenceError:
        names = ", ".join(server.url for server in self._servers)
        if isinstance(choice, Exhausted) and error is not None:
            return error
        if isinstance(choice, Exhausted) and choice.not_ready:
            wanted = f"model {key[0]!r}" + (f" version {key[1]}" if key[1] else "")
            return ModelNotReady(f"{wanted} is not ready on any of {names}")
        return PoolUnavailable(
            f"no server of the pool may be asked now ({names}); the next probe is due in "
            f"{choice.retry_after_s:.1f} s" + (f"; last error: {error}" if error else ""),
            retry_after_s=choice.retry_after_s,
        )


def _may_repeat(choice: Exhausted, avoid: set[int], error: InferenceError | None) -> bool:
    lost = isinstance(error, DeadlineExceeded | ModelNotReady)
    return bool(avoid) and not choice.not_ready and not lost
