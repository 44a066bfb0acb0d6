"""Count on the spot while the shared windows are away."""

from collections.abc import Callable, Sequence

from api.gateway.quotas import Spent, Window
from api.gateway.windows import LocalWindows, Windows, WindowsAway
from telemetry.logs import logger

_log = logger(__name__)

_RETRY_S = 1.0
"""Pause between two looks for the shared windows: an outage delays one request a second."""


class FailOpen:
    """Asks the shared windows; those of this process while the shared ones are away.

    An outage of Redis lets each process allow as much as all of them together; it refuses nobody.
    """

    def __init__(self, shared: Windows, local: LocalWindows, *, clock: Callable[[], float]) -> None:
        """`clock` is monotonic."""
        self._shared = shared
        self._local = local
        self._clock = clock
        self._away = False
        self._retry_at = 0.0

    async def hit(self, windows: Sequence[Window]) -> tuple[Spent, ...]:
        """Count one request; see `Windows`, but it is never away."""
        if self._away and self._clock() < self._retry_at:
            return await self._local.hit(windows)
        # Whoever comes while this one looks counts on the spot.
        self._retry_at = self._clock() + _RETRY_S
        try:
            spent = await self._shared.hit(windows)
        except WindowsAway as error:
            self._note(away=True, why=str(error))
            return await self._local.hit(windows)
        self._note(away=False)
        return spent

    def _note(self, *, away: bool, why: str = "") -> None:
        """Log a change, once."""
        if away == self._away:
            return
        self._away = away
        if away:
            _log.warning("quotas are counted in this process only", why=why)
        else:
            _log.info("quotas are counted in Redis again")
