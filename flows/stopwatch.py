"""Measure how long each stage of a shard is busy."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopwatch:
    """Busy seconds by stage. A stage may be entered several times at once: the time during which
    it is entered at least once counts, so that overlapping requests are not counted twice.

    A stage must always be entered from the same thread, or from one thread at a time.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._busy: dict[str, float] = {}
        self._entered: dict[str, int] = {}
        self._since: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time of this block for `name`."""
        if self._entered.get(name, 0) == 0:
            self._since[name] = self._clock()
        self._entered[name] = self._entered.get(name, 0) + 1
        try:
            yield
        finally:
            self._entered[name] -= 1
            if self._entered[name] == 0:
                busy = self._clock() - self._since[name]
                self._busy[name] = self._busy.get(name, 0.0) + busy

    def seconds(self) -> dict[str, float]:
        """Return busy seconds by stage, for the stages that were entered and left."""
        return {name: round(busy, 6) for name, busy in self._busy.items()}
