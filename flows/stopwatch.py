"""Measure how long each stage of a shard is busy."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopwatch:
    """Busy seconds by stage. Two that are in a stage at the same time count twice: that tells how
    much of it there was, as the time of several workers does.

    A stage must always be left in the same thread, or in one thread at a time.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.perf_counter,
        processor: Callable[[], float] = time.thread_time,
    ) -> None:
        self._clock = clock
        self._processor = processor
        self._busy: dict[str, float] = {}
        self._worked: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time of this block for `name`."""
        entered = self._clock()
        try:
            yield
        finally:
            self._busy[name] = self._busy.get(name, 0.0) + self._clock() - entered

    @contextmanager
    def work(self, name: str) -> Iterator[None]:
        """Count the time of this block, and the processor's: the block must not leave its thread.

        A thread that waits, for a store or for a core, is busy and takes no processor time.
        """
        with self.stage(name):
            entered = self._processor()
            try:
                yield
            finally:
                worked = self._processor() - entered
                self._worked[name] = self._worked.get(name, 0.0) + worked

    def seconds(self) -> dict[str, float]:
        """Return busy seconds by stage, for the stages that were entered and left."""
        return {name: round(busy, 6) for name, busy in self._busy.items()}

    def processor_seconds(self) -> dict[str, float]:
        """Return processor seconds by stage, for those that were work of a thread."""
        return {name: round(worked, 6) for name, worked in self._worked.items()}
