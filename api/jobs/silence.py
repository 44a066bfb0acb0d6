"""Tell how long the runs of jobs have said nothing, without I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class _Word:
    """What was last heard of one job."""

    told: object
    """Anything that differs when something new is heard."""
    silent_s: float = 0.0
    """How long it has been the last, as far as somebody listened."""


class Listener:
    """Counts silence only while somebody listens.

    When the registry was away, or this process stood still, nobody could be heard: such a gap
    between two looks counts for no more than `most_gap_s`.
    """

    def __init__(self, *, most_gap_s: float) -> None:
        self._most_gap_s = most_gap_s
        self._words: dict[str, _Word] = {}
        self._listened_at: float | None = None

    def heard(self, words: Mapping[str, object], now_s: float) -> Mapping[str, timedelta]:
        """Take in the last word of every job; return how long each has been silent since.

        `now_s` is of a monotonic clock; jobs that are not named are forgotten.
        """
        before_s = now_s if self._listened_at is None else self._listened_at
        gap_s = min(now_s - before_s, self._most_gap_s)
        self._listened_at = now_s
        self._words = {job: self._last(job, told, gap_s) for job, told in words.items()}
        return {job: timedelta(seconds=word.silent_s) for job, word in self._words.items()}

    def _last(self, job: str, told: object, gap_s: float) -> _Word:
        before = self._words.get(job)
        if before is None or before.told != told:
            return _Word(told)
        return _Word(told, before.silent_s + gap_s)
