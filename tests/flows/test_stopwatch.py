"""Check how long the stages of a shard are busy."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.stopwatch import Stopwatch


def clock_of(*times: float) -> Iterator[float]:
    return iter(times)


def test_stages_add_up() -> None:
    """Each time a stage is entered adds to its seconds."""
    times = clock_of(0.0, 1.0, 5.0, 7.5, 8.0, 8.25)
    watch = Stopwatch(lambda: next(times))
    for name in ("read", "write", "read"):
        with watch.stage(name):
            pass
    assert watch.seconds() == {"read": 1.25, "write": 2.5}


def test_work_of_a_thread_has_processor_time_too() -> None:
    """What it waits for is no work; a stage that is only waited for has none."""
    times, worked = clock_of(0.0, 4.0, 5.0, 6.0, 7.0, 9.0), clock_of(1.0, 2.5, 2.5, 2.75)
    watch = Stopwatch(lambda: next(times), lambda: next(worked))
    for _ in range(2):
        with watch.work("read"):
            pass
    with watch.stage("infer"):
        pass
    assert watch.seconds() == {"read": 5.0, "infer": 2.0}
    assert watch.processor_seconds() == {"read": 1.75}


def test_a_thread_that_sleeps_takes_no_processor_time() -> None:
    """By the thread's own clock, whatever other threads do."""
    watch = Stopwatch()
    with watch.work("read"):
        time.sleep(0.2)
    assert watch.seconds()["read"] >= 0.2
    assert watch.processor_seconds()["read"] < 0.1


def test_overlapping_requests_count_each() -> None:
    """One of three seconds inside one of five: eight seconds of waiting."""
    times = clock_of(0.0, 1.0, 4.0, 5.0)
    watch = Stopwatch(lambda: next(times))
    with watch.stage("infer"), watch.stage("infer"):
        pass
    assert watch.seconds() == {"infer": 8.0}


def test_a_stage_that_fails_was_busy_too() -> None:
    """The error goes through."""
    times = clock_of(0.0, 2.0)
    watch = Stopwatch(lambda: next(times))
    with pytest.raises(ValueError, match="gone"), watch.work("read"):
        raise ValueError("gone")
    assert watch.seconds() == {"read": 2.0}
    assert set(watch.processor_seconds()) == {"read"}


def test_a_stage_that_is_not_left_is_not_told() -> None:
    """Its seconds are not known yet."""
    watch = Stopwatch(lambda: 0.0)
    with watch.stage("read"):
        assert watch.seconds() == {}


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), min_size=1, max_size=8))
def test_busy_is_the_sum_of_the_spans(spans: list[tuple[int, int]]) -> None:
    """Whatever overlaps."""
    now = 0.0
    watch = Stopwatch(lambda: now)
    blocks = [(start, start + length, watch.stage("infer")) for start, length in spans]
    for now in range(50):
        for block in (block for start, _, block in blocks if start == now):
            block.__enter__()
        for block in (block for _, stop, block in blocks if stop == now):
            block.__exit__(None, None, None)
    assert watch.seconds() == {"infer": float(sum(length for _, length in spans))}
