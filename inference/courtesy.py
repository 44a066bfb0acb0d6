"""Decide how many batch requests may be at a server that others use as well."""

from collections import deque
from dataclasses import dataclass

_LOOKS = 9
"""Looks that are compared: four seconds, in which callers at a server that batch fills are seen
even though as many requests as are in flight may be batch's own."""
_QUIET = 1
"""Looks without requests of others, all four seconds of each, after which batch takes more."""
_UNSURE = 2
"""Requests that a server may count later than it answers them."""


@dataclass(frozen=True, slots=True)
class Look:
    """A server at one moment."""

    requests: int
    """Requests that it has answered since it started, whoever asked."""
    queue_s: float
    """Seconds that these waited for an instance, summed."""
    sent: int
    """Requests that had been sent from here before it was asked."""
    outstanding: int
    """Those of them that were in flight."""
    sent_after: int
    """Requests that had been sent from here when it had said so."""


class Courtesy:
    """One server's ceiling over the window; pure.

    While others use the server and requests wait there longer than they should, the ceiling is
    halved, down to one request at a time: whoever comes then waits for that one at most. It is
    raised by one a look when others have gone. Who shares the server with batch of another process
    only keeps two requests there between them, which is enough to have it busy.
    """

    def __init__(self, *, queue_s: float) -> None:
        self._most_queue_s = queue_s
        self._looks: deque[Look] = deque(maxlen=_LOOKS)
        self._quiet = 0
        self.ceiling: int | None = None
        """Most requests in flight; None for as many as the window allows."""

    def note(self, look: Look, *, window: int) -> None:
        """Decide again. The cases:

        1. the server was started anew: nothing can be compared
        2. others use it and requests wait for long: half of what was in use
        3. others use it: as it is
        4. nobody else does, for a while now: one more, until the window is less
        """
        before = self._looks[-1] if self._looks else look
        if look.requests < before.requests:
            self._looks.clear()
        self._looks.append(look)
        if self._others(look):
            self._quiet = 0
            if self._queue_s(before, look) > self._most_queue_s:
                self.ceiling = max(1, (self.ceiling or max(before.outstanding, 1)) // 2)
            return
        self._quiet += 1
        if self.ceiling is not None and self._quiet > _QUIET:
            self.ceiling = None if self.ceiling >= window else self.ceiling + 1

    def _others(self, look: Look) -> bool:
        """Say whether the server answered more than was asked from here, by all that is unsure."""
        first = self._looks[0]
        own = look.sent_after - first.sent + first.outstanding + _UNSURE
        return look.requests - first.requests > own

    def _queue_s(self, before: Look, look: Look) -> float:
        """Return how long a request waited for an instance since the last look."""
        answered = look.requests - before.requests
        return (look.queue_s - before.queue_s) / answered if answered > 0 else 0.0
