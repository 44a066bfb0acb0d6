"""Say who may submit a job at this moment, without I/O."""

from collections.abc import Iterator
from contextlib import contextmanager

from api.jobs.problems import QUEUE_FULL
from api.problems import Refused

_TAKEN_IN_A_SECOND = 50
"""Submissions that are surely written down in a second: each takes some 7 ms."""


class Room:
    """Counts the submissions that are written down, or wait for that.

    Whoever finds no room is told when to come again: a second later for each fifty who were told
    so before, since there last was nobody. All at the same moment would find none again.
    """

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._inside = 0
        self._refused = 0

    @property
    def is_full(self) -> bool:
        """Whether nobody more may come now."""
        return self._inside >= self._most

    def require(self) -> None:
        """Raise `Refused` where there is none."""
        if not self.is_full:
            return
        later_s = 1 + self._refused // _TAKEN_IN_A_SECOND
        self._refused += 1
        words = f"{self._inside} jobs are being taken at this moment: send it again"
        raise Refused(QUEUE_FULL, words, headers={"Retry-After": str(later_s)})

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Count one more for the length of the block; raises `Refused`."""
        self.require()
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            if self._inside == 0:
                self._refused = 0
