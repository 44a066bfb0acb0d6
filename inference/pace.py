"""Say how many rows a request may have, so that its answer comes in time."""

import math
from collections.abc import Mapping

from inference.router import ModelKey


class Pace:
    """What the answers have shown of each model's pace.

    The first request to a model is small, because nothing can be said of its pace before an
    answer, and a server does not stop work that nobody waits for. Each answer says how many rows
    would take `target_s`: rows are in proportion to time, and what a request costs besides makes
    this too few at worst, which the next answer mends. Pure.
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
        self, model: ModelKey, rows: int, *, server: int, load_s: float, now: float
    ) -> None:
        """Note an answer. `load_s` is its time, had as many been in flight as there may be.

        The limit rises at once, and falls only when it is these very rows that take too long: few
        rows that took some time say little of many.
        """
        self._answered_at.setdefault(model, {})[server] = now
        fit = self._fit(rows, load_s)
        if fit < rows or fit > self.most_rows(model):
            self._most[model] = fit

    def late(self, model: ModelKey, rows: int, *, load_s: float) -> None:
        """Note that no answer came in `load_s`: so many rows take longer than that."""
        self._most[model] = min(self.most_rows(model), self._fit(rows, load_s))

    def answered_at(self, model: ModelKey) -> Mapping[int, float]:
        """Return when each server last answered a request for the model."""
        return self._answered_at.get(model, {})

    def _fit(self, rows: int, load_s: float) -> int:
        return max(1, math.floor(rows * self._target_s / max(load_s, 1e-6)))
