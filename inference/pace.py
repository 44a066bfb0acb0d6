"""Say how many rows a request may have, so that its answer comes in time."""

from collections.abc import Mapping

from inference.route import ModelKey


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
        self._answered_at: dict[ModelKey, dict[int, float]] = {}

    def most_rows(self, model: ModelKey) -> int:
        """Return how many rows the next request may have."""
        return self._most.get(model, self._first_rows)

    def answered(
        self, model: ModelKey, rows: int, *, server: int, queue_s: float, now: float
    ) -> None:
        """Note an answer; a queue of such requests takes `queue_s`."""
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
