"""Histograms that add up."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flows.histogram import MAX_BINS, Histogram

FLOATS = st.lists(
    st.floats(allow_nan=False, allow_infinity=False) | st.floats(-10, 10) | st.just(0.0),
    max_size=30,
)


def of(values: list[float]) -> Histogram:
    """Count a list."""
    return Histogram.of(np.array(values, np.float64))


@given(FLOATS, FLOATS, FLOATS)
def test_the_sum_is_the_histogram_of_all_numbers(
    one: list[float], two: list[float], three: list[float]
) -> None:
    """However the numbers are dealt out to shards, or in which order those are added."""
    whole = of(one + two + three)
    assert of(one) + of(two) + of(three) == whole
    assert of(three) + (of(one) + of(two)) == whole


@given(FLOATS)
def test_every_number_is_counted_in_the_bin_that_holds_it(values: list[float]) -> None:
    """No more bins than there may be, and none empty at the ends."""
    histogram = of(values)
    assert histogram.total == len(values)
    assert len(histogram.counts) <= MAX_BINS
    for index, count in enumerate(histogram.counts, histogram.start):
        low, high = histogram.edge(index), histogram.edge(index + 1)
        if np.isfinite(high) and abs(low) > 1e-300 and abs(high) > 1e-300:
            assert count == sum(low <= value < high for value in values)
    if values:
        assert histogram.counts[0]
        assert histogram.counts[-1]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=30))
def test_integers_are_counted_in_whole_bins(values: list[int]) -> None:
    """Labels 0, 1, 2 make three bins, not a hundred."""
    histogram = Histogram.of(np.array(values, np.int64), finest=0)
    assert histogram.exponent >= 0
    assert Histogram.of(np.array([2, 0, 2]), finest=0) == Histogram(0, 0, (1, 0, 2))


@given(FLOATS)
def test_it_survives_json(values: list[float]) -> None:
    """It rides in a part's footer."""
    histogram = of(values)
    assert Histogram.from_json(json.loads(json.dumps(histogram.to_json()))) == histogram


def test_quantiles_are_right_to_a_bins_width() -> None:
    """The median of 0…999 is 500."""
    histogram = Histogram.of(np.arange(1000), finest=0)
    assert histogram.quantile(0.5) == 500.0
    assert histogram.quantile(0.0) == 0.0
    assert histogram.quantile(1.0) == 1000.0
    assert Histogram().quantile(0.5) == 0.0
