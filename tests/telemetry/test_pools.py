"""Metrics of pools: read when they are asked for."""

from prometheus_client import CollectorRegistry

from telemetry.pools import PoolMetrics, PoolState, ServerState


def test_a_pool_is_read_when_prometheus_asks() -> None:
    """Second requests, retries and the rest by pool, what is in flight by server."""
    registry = CollectorRegistry()
    metrics = PoolMetrics(registry)
    counts = {"requests": 40, "retries": 2, "hedges": 3, "hedges_won": 1}
    asked = {"pool": "gpu"}
    assert registry.get_sample_value("nightshift_pool_hedges_total", asked) is None
    servers = (ServerState("a:1", 4, "closed"), ServerState("b:1", 0, "open"))
    metrics.read = lambda: [PoolState("gpu", counts, 5, servers)]
    found = {
        name: registry.get_sample_value(f"nightshift_{name}", asked)
        for name in (
            *("pool_requests_total", "pool_retries_total", "pool_hedges_total"),
            *("pool_hedges_won_total", "pool_overloads_total", "pool_waiting"),
        )
    }
    assert found == {
        "pool_requests_total": 40,
        "pool_retries_total": 2,
        "pool_hedges_total": 3,
        "pool_hedges_won_total": 1,
        "pool_overloads_total": 0,
        "pool_waiting": 5,
    }
    by_server = {
        name: [
            registry.get_sample_value(f"nightshift_server_{name}", asked | {"server": server})
            for server in ("a:1", "b:1")
        ]
        for name in ("in_flight", "left_alone")
    }
    assert by_server == {"in_flight": [4, 0], "left_alone": [0, 1]}
