"""Say how many rows a request may have, so that its answer comes in time."""

from collections.abc import Mapping

from inference.route import ModelKey

_MOST_CUT = 12
"""How much less than the most that was ever sent a request may have for the sake of others."""
_KEPT = 0.8
"""What the answers before the last count in the time of a row."""


class Pace:
    """What the answers have shown of each model's pace.

    The first request to a model is small, because nothing can be said of its pace before an
    answer, and a server does not stop work that nobody waits for. Then each answer says how many
    rows a request may have so that as many as may be in flight take `target_s`: time is in
    proportion to rows, and what a request costs besides makes this too few at worst. Answers
    only raise the limit: where they become slow, the server's window shrinks, which loses
    nothing. Pure.
    """

    def __init__(self, *, target_s: float, first_rows: int) -> None:
        self._target_s = target_s
        self._first_rows = first_rows
        self._most: dict[ModelKey, int] = {}
        self._widest: dict[ModelKey, int] = {}
        self._row_s: dict[ModelKey, float] = {}
        self._answered_at: dict[ModelKey, dict[int, float]] = {}

    def most_rows(self, model: ModelKey) -> int:
        """Return how many rows the next request may have."""
        return self._most.get(model, self._first_rows)

    def brief_rows(self, model: ModelKey, *, target_s: float) -> int:
        """Return how many rows take so short a time, a twelfth of the most sent at least.

        What a request costs besides its rows would be most of the time with fewer.
        """
        most = self.most_rows(model)
        if model not in self._row_s:
            return most
        least = -(-self._widest[model] // _MOST_CUT)
        return min(most, max(least, int(target_s / self._row_s[model])))

    def answered(
        self,
        model: ModelKey,
        rows: int,
        *,
        server: int,
        own_s: float,
        queue_s: float,
        now: float,
    ) -> None:
        """Note an answer that took `own_s`; a queue of such requests takes `queue_s`."""
        self._widest[model] = max(self._widest.get(model, 1), rows)
        row_s = max(own_s, 1e-6) / rows
        self._row_s[model] = row_s + (self._row_s.get(model, row_s) - row_s) * _KEPT
        self._answered_at.setdefault(model, {})[server] = now
        self._most[model] = max(self.most_rows(model), self._fit(rows, queue_s))

    def late(self, model: ModelKey, rows: int, *, queue_s: float) -> None:
        """Note that there was no answer; a queue of such requests takes longer than `queue_s`."""
        self._most[model] = min(self.most_rows(model), self._fit(rows, queue_s))

    def answered_at(self, model: ModelKey) -> Mapping[int, float]:
        """Return when each server last answered a request for the model."""
        return self._answered_at.get(model, {})

    def _fit(self, rows: int, queue_s: float) -> int:
        return max(1, int(rows * self._target_s / max(queue_s, 1e-6)))
