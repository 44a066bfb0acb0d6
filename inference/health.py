"""Say how a pool is, for progress lines, reports or a management API."""

from dataclasses import dataclass

from inference.breaker import State


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """One server as its pool sees it."""

    url: str
    """Its address."""
    breaker: State
    """Whether it is asked."""
    outstanding: int
    """Requests in flight to it."""
    window: int
    """Requests that may be in flight to it."""
    ewma_s: float
    """Peak-sensitive average latency in seconds; 0 before the first answer."""
    not_ready: tuple[tuple[str, str], ...]
    """Models (name, version) that it was last seen without."""


@dataclass(frozen=True, slots=True)
class PoolHealth:
    """A pool at one moment."""

    servers: tuple[ServerHealth, ...]
    """In the order of the settings."""
    waiting: int
    """Requests that wait for a place."""
    requests: int
    """Requests since the start."""
    retries: int
    """Tries on another server since the start."""
    overloads: int
    """Refusals for too much to do since the start."""
    failures: int
    """Tries since the start that ended in an error, overloads not counted."""
    hedges: int = 0
    """Second requests since the start, sent because a first one took long."""
    hedges_won: int = 0
    """Those of them that were answered first."""

    def counts(self) -> dict[str, int]:
        """Return what was counted since the start, by name."""
        return {
            "requests": self.requests,
            "retries": self.retries,
            "hedges": self.hedges,
            "hedges_won": self.hedges_won,
            "overloads": self.overloads,
            "failures": self.failures,
        }
