"""Check which stage is said to bound a run."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.bottleneck import Bound, Places, StageTime, find_bound, stage_times
from inference.server import ModelStatistics

PLACES = Places(shards=2, answers=4)
SPENT = {"read": 1.0, "encode": 0.5, "infer": 6.0, "write": 0.2, "commit": 0.1}
SERVED = ModelStatistics(requests=60, inside_s=3.0, queue_s=1.5, busy_s=0.5, instances=1)


def test_stages_have_their_seconds_and_workers() -> None:
    """The wait for answers is told apart by what the servers say of it."""
    assert stage_times(SPENT, SERVED, PLACES) == (
        StageTime("read", 1.0, 2),
        StageTime("encode", 0.5, 2),
        StageTime("transfer", 3.0, 12),
        StageTime("queue", 1.5, 12),
        StageTime("compute", 0.5, 1),
        StageTime("write", 0.2, 2),
        StageTime("commit", 0.1, 2),
    )


def test_servers_that_do_not_tell() -> None:
    """The wait for answers stays one stage."""
    names = [stage.name for stage in stage_times(SPENT, None, PLACES)]
    assert names == ["read", "encode", "infer", "write", "commit"]


def test_what_other_clients_ask_does_not_make_time_negative() -> None:
    """The servers were busier than this run waited."""
    busy = replace(SERVED, inside_s=9.0)
    assert stage_times(SPENT, busy, PLACES)[2] == StageTime("transfer", 0.0, 12)


READING = Bound("reading", 0.75, 1000 / 0.75, (("read", 0.5), ("encode", 0.25)))


def alone(name: str, stage: str) -> Bound:
    """A bound of one stage that was busy for seven eighths of a second."""
    return Bound(name, 0.875, 1000 / 0.875, ((stage, 0.875),))


@pytest.mark.parametrize(
    ("spent", "served", "bound"),
    [
        ({}, SERVED, READING),
        ({}, replace(SERVED, queue_s=3.0), READING),
        ({}, replace(SERVED, busy_s=0.875), alone("compute", "compute")),
        ({}, replace(SERVED, busy_s=1.75, instances=2), alone("compute", "compute")),
        ({}, replace(SERVED, busy_s=0.875, instances=2), READING),
        ({"infer": 13.5}, SERVED, alone("transfer", "transfer")),
        ({"write": 1.75}, SERVED, alone("writing", "write")),
        ({"commit": 1.75}, SERVED, alone("committing", "commit")),
    ],
)
def test_the_busiest_stage_bounds(
    spent: dict[str, float], served: ModelStatistics, bound: Bound
) -> None:
    """By the share of the time that its workers were busy; waiting in a queue bounds nothing."""
    stages = stage_times(SPENT | spent, served, PLACES)
    assert find_bound(stages, rows=1000, scoring_s=1.0) == bound


def test_servers_that_do_not_tell_may_bound_all_the_same() -> None:
    """By the answers that were waited for."""
    stages = stage_times(SPENT | {"infer": 11.4}, None, PLACES)
    bound = find_bound(stages, rows=1000, scoring_s=1.0)
    assert bound is not None
    assert str(bound) == (
        "infer: 95 % of the 1,053 rows/s that infer alone could give; more servers, or a faster "
        "network would help"
    )


def test_nothing_scored_is_bounded_by_nothing() -> None:
    """No rows, no time, or no stage that took any."""
    stages = stage_times(SPENT, SERVED, PLACES)
    assert find_bound(stages, rows=0, scoring_s=1.0) is None
    assert find_bound(stages, rows=9, scoring_s=0.0) is None
    assert find_bound((), rows=9, scoring_s=1.0) is None
    assert find_bound(stage_times({}, None, PLACES), rows=9, scoring_s=1.0) is None


def test_it_is_told_with_its_parts() -> None:
    """A stage of two says how much each was."""
    bound = find_bound(stage_times(SPENT, SERVED, PLACES), rows=1000, scoring_s=1.0)
    assert str(bound) == (
        "reading (read 50 %, encode 25 %): 75 % of the 1,333 rows/s that reading alone could give; "
        "more cores would help"
    )


def test_a_run_in_which_nothing_was_busy_for_long() -> None:
    """The busiest stage is named, and not called a bound."""
    bound = find_bound(stage_times(SPENT, SERVED, PLACES), rows=1000, scoring_s=2.0)
    assert bound is not None
    assert not bound.clear
    assert str(bound) == (
        "no stage: reading, the busiest, was busy 38 % of the time; starting up, and cores that "
        "stages share, took the rest"
    )


@given(
    spent=st.fixed_dictionaries({name: st.floats(0.001, 100) for name in SPENT}),
    scoring_s=st.floats(0.1, 100),
    rows=st.integers(1, 10**9),
)
def test_the_ceiling_is_the_lowest_of_all(
    spent: dict[str, float], scoring_s: float, rows: int
) -> None:
    """No other stage alone would have been slower; share and ceiling give the rate."""
    stages = stage_times(spent, None, PLACES)
    bound = find_bound(stages, rows=rows, scoring_s=scoring_s)
    assert bound is not None
    assert bound.share * bound.ceiling == pytest.approx(rows / scoring_s)
    for stage in stages:
        assert bound.ceiling <= rows * stage.workers / stage.busy_s * (1 + 1e-9)
