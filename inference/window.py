"""Bound the requests in flight to one server by what it has shown it can take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WindowLimits:
    """How far a window may go."""

    initial: int
    """Requests in flight before anything is known."""
    maximum: int
    """Most requests in flight."""


class Window:
    """Additive increase, multiplicative decrease, as TCP does it (Jacobson 1988).

    Each window's worth of answers adds one; an overload halves it, once for all requests that
    were in flight together. It is never less than one.
    """

    def __init__(self, limits: WindowLimits) -> None:
        self._limits = limits
        self._size = float(min(limits.initial, limits.maximum))
        self._halved_at: float | None = None

    @property
    def size(self) -> int:
        """Requests that may be in flight."""
        return int(self._size)

    def answered(self, *, outstanding: int) -> None:
        """Count an answer to one of `outstanding` requests (itself included).

        A window that is not used up does not grow: nothing was learned about its limit.
        """
        if outstanding >= self.size:
            self._size = min(self._size + 1 / self._size, float(self._limits.maximum))

    def overloaded(self, *, sent_at: float, now: float) -> None:
        """Count an overload of a request sent at `sent_at`."""
        if self._halved_at is not None and sent_at <= self._halved_at:
            return
        self._size = max(1.0, self._size / 2)
        self._halved_at = now
