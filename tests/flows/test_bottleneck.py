"""Check which stage is said to bound a run."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.bottleneck import Bound, Ceiling, Places, StageTime, find_bound, stage_times
from inference.server import ModelStatistics

PLACES = Places(shards=2, answers=4)
SPENT = {"read": 1.0, "encode": 0.5, "infer": 6.0, "write": 0.2, "commit": 0.1}
WORKED = {"read": 0.5, "encode": 0.25, "write": 0.2}
SERVED = ModelStatistics(requests=60, inside_s=3.0, queue_s=1.5, busy_s=0.5, instances=1)


def times(
    spent: dict[str, float],
    served: ModelStatistics | None,
    worked: dict[str, float] | None = None,
) -> tuple[StageTime, ...]:
    """What a run did whose threads had a core for half of the time."""
    return stage_times(spent, served, PLACES, worked=WORKED if worked is None else worked)


def found(
    stages: Sequence[StageTime],
    *,
    rows: int = 1000,
    scoring_s: float = 1.0,
    cores: int = 4,
    served_others: bool = False,
) -> Bound | None:
    """Find what bounded a run of a second on four cores."""
    return find_bound(
        stages, rows=rows, scoring_s=scoring_s, cores=cores, served_others=served_others
    )


def test_stages_have_their_seconds_and_workers() -> None:
    """The wait for answers is told apart by what the servers say of it."""
    assert times(SPENT, SERVED) == (
        StageTime("read", 1.0, 2, 0.5),
        StageTime("encode", 0.5, 2, 0.25),
        StageTime("transfer", 3.0, 12),
        StageTime("queue", 1.5, 12),
        StageTime("compute", 0.5, 1),
        StageTime("write", 0.2, 2, 0.2),
        StageTime("commit", 0.1, 2),
    )


def test_servers_that_do_not_tell() -> None:
    """The wait for answers stays one stage."""
    names = [stage.name for stage in times(SPENT, None)]
    assert names == ["read", "encode", "infer", "write", "commit"]


def test_what_other_clients_ask_does_not_make_time_negative() -> None:
    """The servers were busier than this run waited."""
    busy = replace(SERVED, inside_s=9.0)
    assert times(SPENT, busy)[2] == StageTime("transfer", 0.0, 12)


READING = Bound("reading", 0.75, Ceiling(16000 / 3, 0.1875, 4), (("read", 0.5), ("encode", 0.25)))
COMPUTE = Bound("compute", 0.875, Ceiling(1000 / 0.875, 0.875, None), (("compute", 0.875),))


def waiting(name: str, stage: str) -> Bound:
    """A bound of one stage that was busy for seven eighths of a second, and hardly on a core."""
    return Bound(name, 0.875, None, ((stage, 0.875),))


@pytest.mark.parametrize(
    ("spent", "served", "bound"),
    [
        ({}, SERVED, READING),
        ({}, replace(SERVED, queue_s=3.0), READING),
        ({}, replace(SERVED, busy_s=0.875), COMPUTE),
        ({}, replace(SERVED, busy_s=1.75, instances=2), COMPUTE),
        ({}, replace(SERVED, busy_s=0.875, instances=2), READING),
        ({"infer": 13.5}, SERVED, waiting("transfer", "transfer")),
        ({"write": 1.75}, SERVED, waiting("writing", "write")),
        ({"commit": 1.75}, SERVED, waiting("committing", "commit")),
    ],
)
def test_the_busiest_stage_bounds(
    spent: dict[str, float], served: ModelStatistics, bound: Bound
) -> None:
    """By the share of the time that its workers were busy; waiting in a queue bounds nothing."""
    assert found(times(SPENT | spent, served)) == bound


def test_waiting_for_cores_does_not_lower_the_ceiling() -> None:
    """The same work takes longer beside others: the ceiling stays, less of it is reached."""
    alone = found(times(SPENT, SERVED))
    crowded = found(times(SPENT | {"read": 2.0, "encode": 1.0}, SERVED), scoring_s=2.0)
    assert alone is not None
    assert alone.ceiling is not None
    assert crowded == replace(alone, ceiling=replace(alone.ceiling, reached=0.09375))


def test_what_no_counter_tells_is_not_told() -> None:
    """Threads that wait for a store, slices on other machines, servers that others ask as well."""
    waits, elsewhere = {"read": 0.2, "encode": 0.1}, dict[str, float]()
    for worked in (waits, elsewhere):
        assert found(times(SPENT, SERVED, worked)) == replace(READING, ceiling=None)
    shared = times(SPENT, replace(SERVED, busy_s=0.875))
    assert found(shared, served_others=True) == replace(COMPUTE, ceiling=None)


def test_servers_that_do_not_tell_may_bound_all_the_same() -> None:
    """By the answers that were waited for."""
    bound = found(times(SPENT | {"infer": 11.4}, None))
    assert str(bound) == (
        "infer, busy 95 % of the time; more servers, or a faster network may help"
    )


def test_nothing_scored_is_bounded_by_nothing() -> None:
    """No rows, no time, less than a second of it, or no stage that took any."""
    stages = times(SPENT, SERVED)
    assert found(stages, rows=0) is None
    assert found(stages, scoring_s=0.0) is None
    assert found(stages, scoring_s=0.999) is None
    assert found(stages, scoring_s=1.0) is not None
    assert found(()) is None
    assert found(times({}, None)) is None


def test_it_is_told_with_its_parts() -> None:
    """A stage of two says how much each was; then what counters tell, and what may help."""
    assert str(found(times(SPENT, SERVED))) == (
        "reading (read 50 %, encode 25 %), busy 75 % of the time; alone on all cores (4) it would "
        "give 5,333 rows/s, of which 19 % were reached; more cores, or a faster disk or store may "
        "help"
    )
    assert str(found(times(SPENT, replace(SERVED, busy_s=0.875)))) == (
        "compute, busy 88 % of the time; its instances, at this pace and never idle, would give "
        "1,143 rows/s, of which 88 % were reached; more instances of the model, or more servers "
        "may help"
    )


def test_a_run_in_which_nothing_was_busy_for_long() -> None:
    """The busiest stage is named, and not called a bound."""
    bound = found(times(SPENT, SERVED), scoring_s=2.0)
    assert bound is not None
    assert not bound.clear
    assert str(bound) == (
        "no stage: reading, the busiest, was busy 38 % of the time; the rest was starting up, and "
        "waiting for other stages or for cores"
    )


@given(
    spent=st.fixed_dictionaries({name: st.floats(0.001, 100) for name in SPENT}),
    at_work=st.floats(0.0, 1.0),
    scoring_s=st.floats(1.0, 100),
    rows=st.integers(1, 10**9),
    cores=st.integers(1, 64),
)
def test_a_ceiling_is_rows_by_processor_time(
    spent: dict[str, float], at_work: float, scoring_s: float, rows: int, cores: int
) -> None:
    """However busy the stage's threads were; what was reached of it is the rate."""
    worked = {name: at_work * busy_s for name, busy_s in spent.items() if name != "infer"}
    stages = times(spent, None, worked)
    bound = found(stages, rows=rows, scoring_s=scoring_s, cores=cores)
    assert bound is not None
    worked_s = sum(stage.processor_s for stage in stages if stage.name in dict(bound.parts))
    if bound.ceiling is None:
        assert bound.name == "infer" or at_work < 0.2501
        return
    assert bound.ceiling.rate == pytest.approx(rows * cores / worked_s)
    assert bound.ceiling.rate * bound.ceiling.reached == pytest.approx(rows / scoring_s)
