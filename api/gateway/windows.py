"""Count requests in moving windows."""

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Protocol

from api.gateway.quotas import Spent, Window

_MOST_KEYS = 65_536
"""Callers that one process remembers at most; beyond, whoever came longest ago is forgotten."""
_FORGOTTEN_AT_ONCE = 2
"""More than one request can add, so that the idle never pile up, and never hold anyone up."""


class WindowsAway(Exception):
    """The windows cannot be reached, so nothing was counted."""


class Windows(Protocol):
    """Where requests are counted."""

    async def hit(self, windows: Sequence[Window]) -> tuple[Spent, ...]:
        """Count one request in every window if each has room, else in none.

        Returns one `Spent` for each window; raises `WindowsAway`.
        """


class LocalWindows:
    """Counts the requests of this process."""

    def __init__(self, *, clock: Callable[[], float], most_keys: int = _MOST_KEYS) -> None:
        """`clock` is monotonic."""
        self._clock = clock
        self._most_keys = most_keys
        self._times: OrderedDict[str, deque[float]] = OrderedDict()
        self._longest_s = 0

    async def hit(self, windows: Sequence[Window]) -> tuple[Spent, ...]:
        """Count one request; see `Windows`."""
        now = self._clock()
        counted = [self._within(window, now) for window in windows]
        allowed = all(
            len(times) < window.rate.limit for window, times in zip(windows, counted, strict=True)
        )
        if allowed:
            for times in counted:
                times.append(now)
        self._forget(now)
        return tuple(
            _spent(window, times, now, allowed)
            for window, times in zip(windows, counted, strict=True)
        )

    def _within(self, window: Window, now: float) -> deque[float]:
        """Return the times of the requests that still count."""
        self._longest_s = max(self._longest_s, window.rate.window_s)
        times = self._times.setdefault(window.key, deque())
        self._times.move_to_end(window.key)
        while times and times[0] <= now - window.rate.window_s:
            times.popleft()
        return times

    def _forget(self, now: float) -> None:
        """Forget whoever came longest ago, when nothing of theirs counts or there are too many."""
        for _ in range(_FORGOTTEN_AT_ONCE):
            key, times = next(iter(self._times.items()))
            idle = not times or times[-1] <= now - self._longest_s
            if not idle and len(self._times) <= self._most_keys:
                return
            del self._times[key]
            if not self._times:
                return


def _spent(window: Window, times: deque[float], now: float, allowed: bool) -> Spent:
    remaining = max(0, window.rate.limit - len(times))
    # In this order no rounding makes it longer than the window.
    reset_s = window.rate.window_s - (now - times[0]) if times else 0.0
    return Spent(window, remaining, reset_s, allowed or remaining > 0)
