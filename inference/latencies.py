"""Tell how long answers usually take, from the last of them."""

import math
from collections import deque

_KEPT = 128
"""Answers that a percentile is taken of: a second or two of a busy server."""
_EACH = 16
"""Answers after which it is taken anew."""
_SHARE = 0.95
"""The share of answers that come sooner than usual: Dean and Barroso, "The tail at scale" (2013),
send the second request then."""
_WEIGHT = 0.1
"""What the newest answer counts in the mean."""
_LEAST_S = 1e-6
_FORGETS = 1.001
"""What each answer adds to the shortest time: doubled after some seven hundred."""


class Latencies:
    """How long the last answers of one server to one model took; pure."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=_KEPT)
        self._noted = 0
        self._usual_s: float | None = None
        self.mean_s = 0.0
        """Mean time of an answer, the newest counting most."""
        self.least_s = math.inf
        """Shortest time of an answer, slowly forgotten: what one takes that waits for no other."""

    def note(self, took_s: float) -> None:
        """Count an answer."""
        took_s = max(took_s, _LEAST_S)
        self._last.append(took_s)
        self.least_s = min(self.least_s * _FORGETS, took_s)
        self._noted += 1
        weight = max(_WEIGHT, 1 / self._noted)
        self.mean_s += (took_s - self.mean_s) * weight
        if self._noted % _EACH == 0:
            ordered = sorted(self._last)
            self._usual_s = ordered[int(_SHARE * len(ordered))]

    @property
    def usual_s(self) -> float | None:
        """Time in which 95 % of the last answers came; None before it can be told."""
        return self._usual_s
