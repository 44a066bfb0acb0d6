"""Decide whether a server may be asked, from how its last requests ended."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """What a breaker lets through."""

    CLOSED = "closed"
    """Everything."""
    OPEN = "open"
    """Nothing, until its time is over."""
    HALF_OPEN = "half-open"
    """One request at a time, as a probe."""


class Verdict(Enum):
    """What the end of a request says about its server."""

    SUCCESS = "success"
    """It answered."""
    FAILURE = "failure"
    """It did not answer, or it failed where another would not."""
    ALIVE = "alive"
    """It answered with an error that is not its own: it lives, but this is no success."""
    UNKNOWN = "unknown"
    """Nothing: the request was given up before its end."""


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """When a breaker opens, with how long it stays so."""

    failures: int
    """Failures in a row that open it."""
    failure_rate: float
    """Share of failed calls in the window above which it opens."""
    min_calls: int
    """Calls in the window before the rate counts."""
    window_s: float
    """Length of the window."""
    open_s: float
    """First time that it stays open."""
    open_max_s: float
    """Longest time that it stays open."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to send one request; given back with its verdict, once."""

    epoch: int
    """State changes of the breaker before it, so that a late verdict changes nothing."""
    probe: bool
    """Whether the request finds out if the server is back."""


class _Window:
    """How the calls of the last seconds ended.

    They are counted in a hundred spans, so that memory does not depend on their number; the oldest
    span goes as a whole.
    """

    _SPANS = 100

    def __init__(self, length_s: float) -> None:
        self._span_s = length_s / self._SPANS
        self._spans: deque[tuple[int, int, int]] = deque(maxlen=self._SPANS)
        """Number of the span, its calls, those of them that failed."""

    def count(self, now: float, *, failed: bool) -> None:
        """Count a call that ended at `now`."""
        span, calls, failures = int(now / self._span_s), 0, 0
        if self._spans and self._spans[-1][0] == span:
            _, calls, failures = self._spans.pop()
        self._spans.append((span, calls + 1, failures + failed))

    def totals(self, now: float) -> tuple[int, int]:
        """Return the calls of the window that ends at `now`, with those of them that failed."""
        oldest = int(now / self._span_s) - self._SPANS
        recent = [counts for span, *counts in self._spans if span > oldest]
        return sum(calls for calls, _ in recent), sum(failures for _, failures in recent)

    def clear(self) -> None:
        """Forget them all."""
        self._spans.clear()


class Breaker:
    """One server's breaker: closed → open → half-open, open for a jittered, doubling time.

    It opens on failures in a row, as a server that is gone shows, or on a failure rate, as a
    sick one does. `enter` must only follow `allows`; every permit comes back through `leave`.
    """

    def __init__(self, limits: BreakerLimits, *, random: Callable[[], float]) -> None:
        self._limits = limits
        self._random = random
        self._epoch = 0
        self._open_until: float | None = None
        self._closed_at: float | None = None
        self._level = 0
        self._last_open_s = 0.0
        self._probing = False
        self._in_a_row = 0
        self._calls = _Window(limits.window_s)

    def state(self, now: float) -> State:
        """Return the state at `now`."""
        if self._open_until is None:
            return State.CLOSED
        return State.OPEN if now < self._open_until else State.HALF_OPEN

    @property
    def probing(self) -> bool:
        """Whether a probe is under way."""
        return self._probing

    @property
    def suspect(self) -> bool:
        """Whether the last request failed, so that few should be risked until one succeeds."""
        return self._in_a_row > 0

    def allows(self, now: float) -> bool:
        """Say whether a request may be sent at `now`."""
        state = self.state(now)
        return state is State.CLOSED or (state is State.HALF_OPEN and not self._probing)

    def retry_after_s(self, now: float) -> float:
        """Return the seconds until a probe may be sent; 0 when one may or is under way."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - now)

    def enter(self, now: float) -> Permit:
        """Take leave to send one request."""
        probe = self.state(now) is State.HALF_OPEN
        self._probing = self._probing or probe
        return Permit(self._epoch, probe)

    def leave(self, permit: Permit, verdict: Verdict, now: float, *, spare: bool) -> None:
        """Give a permit back. `spare` says that the pool cannot do without the server for a rate.

        The cases:
        1. the breaker has changed state since: the verdict is old news
        2. a probe: it closes the breaker, opens it for longer, or lets the next probe try
        3. closed: the verdict is counted, which may open it
        """
        if permit.epoch != self._epoch:
            return
        if permit.probe:
            self._end_probe(verdict, now)
        elif verdict is Verdict.FAILURE:
            self._count_failure(now, spare=spare)
        elif verdict is not Verdict.UNKNOWN:
            self._in_a_row = 0
            if verdict is Verdict.SUCCESS:
                self._calls.count(now, failed=False)

    def blame(self, now: float, *, spare: bool) -> None:
        """Count a failure that was found out after its request's verdict, a probe's included."""
        state = self.state(now)
        if state is State.CLOSED:
            self._count_failure(now, spare=spare)
        elif state is State.HALF_OPEN:
            self._open(now)

    def back(self, now: float) -> None:
        """Let a probe be sent now: the server was seen to come back."""
        if self.state(now) is State.OPEN:
            self._open_until = now

    def _end_probe(self, verdict: Verdict, now: float) -> None:
        self._probing = False
        if verdict is Verdict.UNKNOWN:
            return
        if verdict is Verdict.FAILURE:
            self._open(now)
            return
        self._epoch += 1
        self._open_until = None
        self._closed_at = now
        self._in_a_row = 0
        self._calls.clear()

    def _count_failure(self, now: float, *, spare: bool) -> None:
        self._in_a_row += 1
        self._calls.count(now, failed=True)
        too_many = self._in_a_row >= self._limits.failures
        if too_many or (not spare and self._rate_exceeded(now)):
            self._open(now)

    def _rate_exceeded(self, now: float) -> bool:
        calls, failed = self._calls.totals(now)
        return calls >= self._limits.min_calls and failed > self._limits.failure_rate * calls

    def _open(self, now: float) -> None:
        """Open for twice as long as last time, unless it stayed closed for that long since.

        The jitter is equal jitter: half of the time is certain, half is random.
        """
        rested = self._closed_at is not None and now - self._closed_at > self._last_open_s
        self._level = 0 if rested else self._level
        full_s = min(self._limits.open_s * 2.0**self._level, self._limits.open_max_s)
        self._level = min(self._level + 1, 64)
        self._last_open_s = full_s
        self._closed_at = None
        self._open_until = now + full_s * (0.5 + self._random() / 2)
        self._epoch += 1
        self._probing = False
        self._in_a_row = 0
        self._calls.clear()
