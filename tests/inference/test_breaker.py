"""One server's breaker."""

import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.breaker import Breaker, BreakerLimits, State, Verdict

LIMITS = BreakerLimits(
    failures=5,
    failure_rate=0.5,
    min_calls=20,
    window_s=10.0,
    open_s=5.0,
    open_max_s=300.0,
)


def breaker(*, random: float = 1.0, limits: BreakerLimits = LIMITS) -> Breaker:
    """Return a breaker whose jitter is known."""
    return Breaker(limits, random=lambda: random)


def end(
    subject: Breaker, verdict: Verdict, now: float, *, times: int = 1, spare: bool = False
) -> None:
    """Send requests that end at once."""
    for _ in range(times):
        subject.leave(subject.enter(now), verdict, now, spare=spare)


def opened(now: float = 0.0) -> Breaker:
    """Return a breaker that opened at `now` for 5 s."""
    subject = breaker()
    end(subject, Verdict.FAILURE, now, times=5)
    return subject


def test_it_opens_on_failures_in_a_row() -> None:
    """Five, not four, and a success in between starts the count anew."""
    subject = breaker()
    end(subject, Verdict.FAILURE, 0.0, times=4)
    end(subject, Verdict.SUCCESS, 0.0)
    end(subject, Verdict.FAILURE, 0.0, times=4)
    assert subject.state(0.0) is State.CLOSED
    end(subject, Verdict.FAILURE, 0.0)
    assert subject.state(0.0) is State.OPEN
    assert (subject.allows(0.0), subject.retry_after_s(1.0)) == (False, 4.0)


def test_it_opens_even_as_the_last_server_when_nothing_answers() -> None:
    """Failures in a row mean that asking is futile, also for the last one."""
    subject = breaker()
    end(subject, Verdict.FAILURE, 0.0, times=5, spare=True)
    assert subject.state(0.0) is State.OPEN


def alternate(subject: Breaker, *, calls: int, spare: bool) -> None:
    """End calls of which two of three fail, never more than two in a row."""
    for call in range(calls):
        verdict = Verdict.SUCCESS if call % 3 == 0 else Verdict.FAILURE
        end(subject, verdict, call * 0.1, spare=spare)


def test_it_opens_on_a_failure_rate_once_there_are_enough_calls() -> None:
    """Two of three failing opens it at the twentieth call, unless the pool must spare it."""
    few, enough, spared = breaker(), breaker(), breaker()
    alternate(few, calls=19, spare=False)
    alternate(enough, calls=21, spare=False)
    alternate(spared, calls=60, spare=True)
    assert few.state(2.0) is State.CLOSED
    assert enough.state(2.0) is State.OPEN
    assert spared.state(6.0) is State.CLOSED


def test_calls_older_than_the_window_are_forgotten() -> None:
    """Failures of a minute ago do not count toward the rate."""
    subject = breaker(limits=replace(LIMITS, failures=100))
    end(subject, Verdict.FAILURE, 0.0, times=19)
    end(subject, Verdict.SUCCESS, 60.0, times=15)
    end(subject, Verdict.FAILURE, 60.0, times=10)
    assert subject.state(60.0) is State.CLOSED


@pytest.mark.parametrize("calls_per_s", [10, 100_000])
def test_calls_cost_no_memory(calls_per_s: int) -> None:
    """However many succeed, for however long: only the rate of the window is kept."""
    subject = breaker()
    end(subject, Verdict.SUCCESS, 0.0, times=1000)
    tracemalloc.start()
    try:
        for call in range(50_000):
            end(subject, Verdict.SUCCESS, call / calls_per_s)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 64 * 2**10


def test_errors_that_are_not_the_servers_never_open_it() -> None:
    """A client error or an overload is an answer."""
    subject = breaker()
    end(subject, Verdict.FAILURE, 0.0, times=4)
    end(subject, Verdict.ALIVE, 0.0, times=100)
    end(subject, Verdict.FAILURE, 0.0, times=4)
    assert subject.state(0.0) is State.CLOSED


def test_half_open_lets_one_probe_through_at_a_time() -> None:
    """A herd would knock a recovering server down again."""
    subject = opened()
    assert subject.state(5.0) is State.HALF_OPEN
    permit = subject.enter(5.0)
    assert (permit.probe, subject.probing, subject.allows(5.0)) == (True, True, False)
    subject.leave(permit, Verdict.UNKNOWN, 5.1, spare=False)
    assert subject.allows(5.1)


def test_a_probe_that_is_answered_closes_it() -> None:
    """Also when the answer is an error that is not the server's."""
    for verdict in (Verdict.SUCCESS, Verdict.ALIVE):
        subject = opened()
        subject.leave(subject.enter(5.0), verdict, 5.1, spare=False)
        assert subject.state(5.1) is State.CLOSED


def test_each_failed_probe_doubles_the_time_up_to_the_maximum() -> None:
    """5, 10, 20 … 300 s with the jitter at its largest."""
    subject = opened()
    now, times = 0.0, []
    for _ in range(9):
        times.append(subject.retry_after_s(now))
        now += times[-1]
        subject.leave(subject.enter(now), Verdict.FAILURE, now, spare=False)
    assert times == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_a_server_that_flaps_keeps_its_level_until_it_has_rested() -> None:
    """Closed for less than its last time open, it opens for twice as long."""
    flapping, rested = opened(), opened()
    for subject, fails_at in ((flapping, 6.0), (rested, 11.0)):
        subject.leave(subject.enter(5.0), Verdict.SUCCESS, 5.0, spare=False)
        end(subject, Verdict.FAILURE, fails_at, times=5)
    assert flapping.retry_after_s(6.0) == 10.0
    assert rested.retry_after_s(11.0) == 5.0


def test_late_verdicts_from_before_it_opened_change_nothing() -> None:
    """Twenty requests to a dead server open it once, not four times as long."""
    subject = breaker()
    permits = [subject.enter(0.0) for _ in range(20)]
    for permit in permits:
        subject.leave(permit, Verdict.FAILURE, 0.0, spare=False)
    assert subject.retry_after_s(0.0) == 5.0
    late = opened()
    late.leave(permits[0], Verdict.SUCCESS, 1.0, spare=False)
    assert late.state(1.0) is State.OPEN


def test_blame_counts_as_a_failure_unless_it_is_open() -> None:
    """An open breaker has already said what there is to say; a half-open one opens again."""
    subject = breaker()
    for _ in range(5):
        subject.blame(0.0, spare=False)
    subject.blame(1.0, spare=False)
    assert (subject.state(1.0), subject.retry_after_s(1.0)) == (State.OPEN, 4.0)
    subject.blame(5.0, spare=False)
    assert (subject.state(5.0), subject.retry_after_s(5.0)) == (State.OPEN, 10.0)


def test_seen_to_be_back_it_may_be_probed_at_once() -> None:
    """A probe still has to close it."""
    subject = opened()
    subject.back(1.0)
    assert (subject.state(1.0), subject.allows(1.0)) == (State.HALF_OPEN, True)


def test_the_jitter_takes_off_at_most_half() -> None:
    """Equal jitter: 2.5 to 5 s for the first time."""
    subject = breaker(random=0.0)
    end(subject, Verdict.FAILURE, 0.0, times=5)
    assert subject.retry_after_s(0.0) == 2.5


EVENTS = st.lists(
    st.tuples(st.sampled_from([*Verdict, "enter"]), st.floats(0, 20), st.booleans()), max_size=200
)


@given(EVENTS)
def test_whatever_happens_there_is_at_most_one_probe_and_a_way_back(
    events: list[tuple[Verdict | str, float, bool]],
) -> None:
    """No order of entering and leaving lets two probes run or leaves it open for ever."""
    subject, now, permits = breaker(), 0.0, []
    for event, step_s, spare in events:
        now += step_s
        if event == "enter":
            if subject.allows(now):
                permits.append(subject.enter(now))
        elif permits and isinstance(event, Verdict):
            subject.leave(permits.pop(0), event, now, spare=spare)
        assert subject.retry_after_s(now) <= LIMITS.open_max_s
        if subject.state(now) is State.CLOSED:
            assert not subject.probing
    for permit in permits:
        subject.leave(permit, Verdict.UNKNOWN, now, spare=False)
    assert subject.allows(now + LIMITS.open_max_s)
