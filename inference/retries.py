"""Decide what follows a failed try of a request."""

from dataclasses import dataclass
from enum import Enum

from inference.errors import (
    DeadlineExceeded,
    InferenceError,
    ModelNotReady,
    ServerFault,
    ServerOverloaded,
    ServerSlow,
    ServerUnreachable,
)

_FAULTS_SHOWN = 2
"""Faults that show the rows to be the cause: one on each of two servers."""


class Step(Enum):
    """What to do after a failed try."""

    RAISE = "raise"
    """Nothing more: the caller must see the error."""
    SHIFT = "shift"
    """Try again, whichever server has room, once the overload's pause is over."""
    ELSEWHERE = "elsewhere"
    """Try another server, as a retry within the budget."""


@dataclass(slots=True)
class Course:
    """The tries of one request so far."""

    max_attempts: int
    """Tries that may be made, overloads not counted."""
    rows: int
    """Rows of the request."""
    attempts: int = 0
    """Tries that were made, overloads not counted."""
    faults: int = 0
    """Tries that ended in a fault of the server."""

    def after(self, error: InferenceError) -> Step:
        """Return the step that follows `error`, counting it.

        The cases:
        1. overload: not a try, the server's window holds the load down; until the deadline
        2. a slow server: the caller asks for fewer rows; a single row waits for its turn again
        3. unreachable, late or not ready: elsewhere, as long as tries are left
        4. a server's fault: elsewhere once; the second one says that the rows are the cause
        5. everything else is permanent
        """
        if isinstance(error, ServerOverloaded):
            return Step.SHIFT
        self.attempts += 1
        self.faults += isinstance(error, ServerFault)
        if self.attempts >= self.max_attempts or self.faults >= _FAULTS_SHOWN:
            return Step.RAISE
        if isinstance(error, ServerSlow):
            return Step.RAISE if self.rows > 1 else Step.SHIFT
        retried = (ServerUnreachable, DeadlineExceeded, ModelNotReady, ServerFault)
        return Step.ELSEWHERE if isinstance(error, retried) else Step.RAISE


class RetryBudget:
    """Bound the retries that run at one time to a share of all running requests.

    As Envoy's retry budget: a pool in trouble gets little more load than a healthy one.
    """

    def __init__(self, *, fraction: float, floor: int) -> None:
        self._fraction = fraction
        self._floor = floor
        self.active = 0
        """Requests that are running, retries included."""
        self.retrying = 0
        """Requests of them that are retries."""

    def allows(self) -> bool:
        """Say whether one more retry may run."""
        return self.retrying < max(self._floor, int(self._fraction * self.active))


class HedgeBudget:
    """Bound second requests to a share of all requests, with a few saved for when they are needed.

    As gRPC's retry throttling: each request earns a part of one.
    """

    def __init__(self, *, fraction: float, most: float) -> None:
        self._fraction = fraction
        self._most = most if fraction else 0.0
        self._saved = self._most

    def earn(self) -> None:
        """Count a request."""
        self._saved = min(self._saved + self._fraction, self._most)

    def spend(self) -> bool:
        """Say whether a second request may be sent, counting it."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True
