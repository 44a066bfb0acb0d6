"""Metrics: as many series as there are routes, from the start."""

from telemetry.metrics import Metrics


def series(metrics: Metrics) -> dict[str, float]:
    """Return the series with their values."""
    lines = metrics.exposition().decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


def test_a_request_is_counted_and_timed() -> None:
    """By method and route, with its status."""
    metrics = Metrics("1.2")
    metrics.answered("GET", "/v1/models/{model}", 200, seconds=0.02)
    found = series(metrics)
    labels = 'method="GET",route="/v1/models/{model}"'
    assert found[f'nightshift_http_requests_total{{{labels},status="200"}}'] == 1
    assert found[f'nightshift_http_request_seconds_bucket{{le="0.01",{labels}}}'] == 0
    assert found[f'nightshift_http_request_seconds_bucket{{le="0.025",{labels}}}'] == 1
    assert found[f"nightshift_http_request_seconds_sum{{{labels}}}"] == 0.02
    assert any("nightshift_build_info{" in name and 'version="1.2"' in name for name in found)


def test_expected_routes_cost_one_series_when_they_are_asked() -> None:
    """Their histograms are there at zero; only the status is new."""
    metrics = Metrics("1")
    metrics.expect([("GET", "/a")])
    before = series(metrics)
    metrics.answered("GET", "/a", 404, seconds=1)
    new = set(series(metrics)) - set(before)
    assert new == {'nightshift_http_requests_total{method="GET",route="/a",status="404"}'}


def test_two_applications_count_apart() -> None:
    """No registry is shared by what happens to be in one process."""
    first, second = Metrics("1"), Metrics("1")
    first.in_flight.inc()
    name = "nightshift_http_requests_in_flight"
    assert (series(first)[name], series(second)[name]) == (1, 0)
