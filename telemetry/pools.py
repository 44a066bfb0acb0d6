"""Tell what the pools of this process have done, read when Prometheus asks."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

Family = CounterMetricFamily | GaugeMetricFamily

_COUNTS = {
    "requests": "Requests to a pool, whatever became of them.",
    "retries": "Tries on another server, after a failure.",
    "hedges": "Second requests, sent because a first one took long.",
    "hedges_won": "Second requests that were answered first.",
    "overloads": "Refusals of servers for too much to do, late answers of such that live included.",
    "failures": "Tries that ended in another error.",
}


@dataclass(frozen=True, slots=True)
class ServerState:
    """One server of a pool at one moment."""

    server: str
    """Its address."""
    in_flight: int
    """Requests in flight to it."""
    breaker: str
    """`closed`, `open` or `half-open`."""


@dataclass(frozen=True, slots=True)
class PoolState:
    """A pool at one moment."""

    pool: str
    """Its name."""
    counts: Mapping[str, int]
    """What it has counted since the process began: `requests`, `retries`, `hedges`, `hedges_won`,
    `overloads`, `failures`."""
    waiting: int
    """Requests that wait for a place."""
    servers: tuple[ServerState, ...]
    """Its servers."""


class PoolMetrics(Collector):
    """Metrics by pool and server: names that are registered, never typed."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.read: Callable[[], Iterable[PoolState]] = tuple
        """Says how the pools are now; none until somebody sets it."""
        registry.register(self)

    def collect(self) -> Iterable[Family]:
        """Return every series."""
        pools = tuple(self.read())
        for name, words in _COUNTS.items():
            counted = CounterMetricFamily(f"nightshift_pool_{name}", words, labels=("pool",))
            for each in pools:
                counted.add_metric((each.pool,), each.counts.get(name, 0))
            yield counted
        waiting = GaugeMetricFamily(
            "nightshift_pool_waiting", "Requests that wait for a place.", labels=("pool",)
        )
        by_server = ("pool", "server")
        in_flight = GaugeMetricFamily(
            "nightshift_server_in_flight", "Requests in flight to a server.", labels=by_server
        )
        left_alone = GaugeMetricFamily(
            "nightshift_server_left_alone",
            "1 while a server's breaker is not closed, so that it is asked for probes at most.",
            labels=by_server,
        )
        for each in pools:
            waiting.add_metric((each.pool,), each.waiting)
            for server in each.servers:
                in_flight.add_metric((each.pool, server.server), server.in_flight)
                left_alone.add_metric((each.pool, server.server), server.breaker != "closed")
        yield from (waiting, in_flight, left_alone)
