"""Profiles of output columns."""

import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.profile import (
    TOP_VALUES,
    BytesProfile,
    NumberProfile,
    Profiles,
    merge_profiles,
)
from tests.flows.shards.columns import mapping, signature, spec

NUMBERS = st.lists(st.floats(-1e6, 1e6) | st.sampled_from([np.nan, np.inf, -np.inf]), max_size=40)
LABELS = st.lists(st.sampled_from([b"%d" % k for k in range(90)]), max_size=300)


@given(NUMBERS, NUMBERS)
def test_the_profile_of_two_shards_is_that_of_all_rows(one: list[float], two: list[float]) -> None:
    """Mean and deviation up to their last digits, the rest exactly."""
    both = NumberProfile.of(np.array(one)) + NumberProfile.of(np.array(two))
    whole = NumberProfile.of(np.array(one + two))
    assert (both.count, both.nan, both.infinite) == (whole.count, whole.nan, whole.infinite)
    assert (both.min, both.max, both.histogram) == (whole.min, whole.max, whole.histogram)
    assert both.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-6)
    assert both.std == pytest.approx(whole.std, rel=1e-6, abs=1e-3)


@given(NUMBERS)
def test_it_counts_what_numpy_counts(values: list[float]) -> None:
    """NaN or infinity take no part in the moments."""
    array = np.array(values, np.float64)
    profile = NumberProfile.of(array)
    finite = array[np.isfinite(array)]
    assert profile.count == len(finite)
    assert profile.nan + profile.infinite == len(array) - len(finite)
    if len(finite):
        assert profile.mean == pytest.approx(finite.mean())
        assert profile.std == pytest.approx(finite.std())


@given(LABELS, LABELS)
def test_no_value_is_told_more_or_less_often_than_the_bound_allows(
    one: list[bytes], two: list[bytes]
) -> None:
    """Counted ≤ true ≤ counted + uncounted, also for values that are not told at all."""
    profile = BytesProfile.of(one) + BytesProfile.of(two)
    true = Counter(value.decode() for value in one + two)
    told = dict(profile.top)
    assert len(told) <= TOP_VALUES
    for value, count in true.items():
        assert told.get(value, 0) <= count <= told.get(value, 0) + profile.uncounted
    if len(true) <= TOP_VALUES and profile.uncounted == 0:
        assert told == true
    assert profile.lengths.count == len(one) + len(two)


def test_values_that_are_no_text_or_are_long_are_shown_as_they_can_be() -> None:
    """Bytes are escaped, long ones cut."""
    profile = BytesProfile.of([b"\xff\x00", "é", b"x" * 100])
    assert sorted(shown for shown, _ in profile.top) == ["\\xff\x00", "x" * 59 + "…", "é"]
    assert profile.lengths.max == 100.0


def test_large_numbers_stay_within_json() -> None:
    """A deviation that overflows is told as the largest float, not as infinity."""
    profile = NumberProfile.of(np.array([1e308, -1e308, 1e308]))
    json.dumps((profile + profile).to_json(), allow_nan=False)
    assert profile.count == 3


def test_the_outputs_of_a_part_are_profiled_by_column() -> None:
    """Lists count each of their values; kept columns are let be."""
    compiled = mapping(
        signature(
            spec("x", "FP32"),
            outputs=[
                spec("score", "FP16", 1),
                spec("classes", "INT64", 2),
                spec("flag", "BOOL"),
                spec("label", "BYTES"),
            ],
        ),
        pa.schema([("x", pa.float32()), ("id", pa.int64())]),
        rename={"score": "delay"},
        text=["label"],
    )
    schema = compiled.output_schema
    rows = {
        "id": [1, 2],
        "delay": np.array([0.5, 1.5], np.float16),
        "classes": [[1, 2], [3, 4]],
        "flag": [True, False],
        "label": ["late", "late"],
    }
    part = pa.record_batch(rows, schema=schema)
    shards = []
    for _ in range(2):
        profiles = Profiles.of(compiled)
        profiles.add(part)
        profiles.add(part.slice(0, 1))
        shards.append(json.loads(json.dumps(profiles.to_json())))
    merged = merge_profiles(shards)
    assert list(merged) == ["delay", "classes", "flag", "label"]
    delay, classes, flag, label = merged.values()
    assert isinstance(delay, NumberProfile)
    assert (delay.count, delay.min, delay.max) == (6, 0.5, 1.5)
    assert isinstance(classes, NumberProfile)
    assert (classes.count, classes.histogram.counts) == (12, (4, 4, 2, 2))
    assert isinstance(flag, NumberProfile)
    assert flag.histogram.counts == (2, 4)
    assert isinstance(label, BytesProfile)
    assert label.top == (("late", 6),)


def test_a_job_without_parts_has_no_profiles() -> None:
    """Nothing is made up."""
    assert merge_profiles([]) == {}
