"""Count what a process of ours does, for Prometheus to read."""

import platform
from collections.abc import Iterable

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from telemetry.online import OnlineMetrics
from telemetry.pools import PoolMetrics

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_PLAIN_0_0_4

# Below the first a management request comes from a cache, above the last someone has given up.
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_LABELS = ("method", "route")


class Metrics:
    """Every metric of one process.

    Labels are routes and methods that exist, never what a request says: the number of series
    depends on the program only.
    """

    def __init__(self, version: str) -> None:
        # The time at which a series began is one series more for each, which nobody reads.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # theirs
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "nightshift_http_requests",
            "Requests that were answered.",
            (*_LABELS, "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "nightshift_http_request_seconds",
            "Time from a request's first line to the end of its answer.",
            _LABELS,
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self.in_flight = Gauge(
            "nightshift_http_requests_in_flight",
            "Requests that are being answered.",
            registry=self._registry,
        )
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.online = OnlineMetrics(self._registry)
        self.pools = PoolMetrics(self._registry)
        build = Gauge(
            "nightshift_build_info",
            "Always 1; the labels say what runs.",
            ("version", "python"),
            registry=self._registry,
        )
        build.labels(version, platform.python_version()).set(1)

    def expect(self, routes: Iterable[tuple[str, str]]) -> None:
        """Have the series of each (method, route) there from the start, at zero."""
        for method, route in routes:
            self._seconds.labels(method, route)

    def answered(self, method: str, route: str, status: int, *, seconds: float) -> None:
        """Count one request."""
        series = self._series.get((method, route, status))
        if series is None:
            series = (
                self._requests.labels(method, route, status),
                self._seconds.labels(method, route),
            )
            self._series[method, route, status] = series
        count, times = series
        count.inc()
        times.observe(seconds)

    def exposition(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        return prometheus_client.generate_latest(self._registry)
