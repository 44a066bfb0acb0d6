"""Keep what a router knows of one server."""

import math
from collections import Counter
from dataclasses import dataclass, field

from inference.breaker import Breaker, State
from inference.latencies import Latencies
from inference.window import Window

ModelKey = tuple[str, str]
"""Served name with version."""


@dataclass(slots=True)
class Route:
    """What is known of one server."""

    breaker: Breaker
    """Whether it may be asked."""
    window: Window
    """How much it may be given."""
    outstanding: int = 0
    """Requests in flight."""
    sent: Counter[ModelKey] = field(default_factory=Counter)
    """Requests that were ever sent, by model."""
    ceiling: int | None = None
    """Most requests in flight while others use the server as well; None for no such bound."""
    running: Counter[ModelKey] = field(default_factory=Counter)
    """The same by model."""
    latencies: dict[ModelKey, Latencies] = field(default_factory=dict)
    """How long its last answers took, by model."""
    ewma_s: float = 0.0
    """Peak-sensitive average latency; 0 before the first answer."""
    observed_at: float = -math.inf
    """When the latency was last observed."""
    overloads: int = 0
    """Overloads since the last answer."""
    outrun: int = 0
    """Times that another server's answer was sooner, since its own last one."""
    paused_until: float = -math.inf
    """End of the pause after an overload."""
    not_ready_until: dict[ModelKey, float] = field(default_factory=dict)
    """Models it did not have ready, each with when to ask again."""
    silent: bool = False
    """Whether it did not answer its last probe."""
    leaving: bool = False
    """Whether it finishes what it has and gets nothing new."""

    @property
    def room(self) -> int:
        """Requests that may be in flight."""
        if self.breaker.suspect:
            return 1
        return self.window.size if self.ceiling is None else min(self.ceiling, self.window.size)

    def has_room(self, now: float) -> bool:
        """Say whether one more may be sent."""
        return self.outstanding < self.room and self.paused_until <= now

    def serves(self, model: ModelKey, now: float) -> bool:
        """Say whether it has the model, as far as is known."""
        return self.not_ready_until.get(model, -math.inf) <= now

    def works(self, model: ModelKey, now: float) -> bool:
        """Say whether requests for the model are answered there, with nothing against it."""
        away = self.silent or self.leaving or self.breaker.state(now) is not State.CLOSED
        return not away and self.serves(model, now)

    def began(self, model: ModelKey) -> None:
        """Count a request that is sent."""
        self.sent[model] += 1
        self.outstanding += 1
        self.running[model] += 1

    def ended(self, model: ModelKey) -> None:
        """Count its end."""
        self.outstanding -= 1
        self.running[model] -= 1
        if not self.running[model]:
            del self.running[model]

    def learn(self, model: ModelKey, took_s: float) -> None:
        """Note how long an answer took."""
        self.latencies.setdefault(model, Latencies()).note(took_s)

    def has_queued(self, model: ModelKey, took_s: float) -> bool:
        """Say whether an answer took so long because it waited: twice what one took at best."""
        latencies = self.latencies.get(model)
        return latencies is not None and took_s > 2 * latencies.least_s

    def places_per_s(self) -> float:
        """Return how many places become free each second, as its last answers tell.

        Little's law, for each model: requests in flight over the time that each takes.
        """
        return sum(
            running / self.latencies[model].mean_s
            for model, running in self.running.items()
            if model in self.latencies
        )
