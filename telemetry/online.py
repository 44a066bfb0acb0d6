"""Count what becomes of online requests, version by version."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# A small model on a GPU answers in about a millisecond; above the last someone has given up.
_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0)
_DIFFERENCES = (0.0, 1e-6, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
_WHO = ("model", "version", "variant")


class OnlineMetrics:
    """Metrics by model, version and variant: names that are registered or served, never typed."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answers = Counter(
            "nightshift_online_requests",
            "Online requests by the version that answered, or should have.",
            (*_WHO, "outcome"),
            registry=registry,
        )
        self._seconds = Histogram(
            "nightshift_online_seconds",
            "Time from the choice of a version to its answer.",
            _WHO,
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self._copies = Counter(
            "nightshift_shadow_copies",
            "Copies for a shadow version, by what became of them.",
            ("model", "version", "outcome"),
            registry=registry,
        )
        self._rows = Counter(
            "nightshift_shadow_rows",
            "Rows that a shadow version answered, by whether it agreed.",
            ("model", "version", "agreed"),
            registry=registry,
        )
        self._difference = Histogram(
            "nightshift_shadow_difference",
            "Largest absolute difference between a shadow's numbers and the answer's, by request.",
            ("model", "version"),
            buckets=_DIFFERENCES,
            registry=registry,
        )
        self.shadows_in_flight = Gauge(
            "nightshift_shadow_copies_in_flight",
            "Copies that a shadow version works on.",
            registry=registry,
        )

    def answered(
        self, model: str, version: str, variant: str, outcome: str, *, seconds: float
    ) -> None:
        """Count one request; `outcome` is `ok` or the error's name."""
        self._answers.labels(model, version, variant, outcome).inc()
        self._seconds.labels(model, version, variant).observe(seconds)

    def copied(self, model: str, version: str, outcome: str) -> None:
        """Count one copy: `compared`, `failed` or `dropped`, which was not sent at all."""
        self._copies.labels(model, version, outcome).inc()

    def compared(
        self, model: str, version: str, *, agreed: int, rows: int, difference: float | None
    ) -> None:
        """Count the rows of one copy; no difference where the answers have another form."""
        self._rows.labels(model, version, "yes").inc(agreed)
        self._rows.labels(model, version, "no").inc(rows - agreed)
        if difference is not None:
            self._difference.labels(model, version).observe(difference)
