"""The choice of a server."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.breaker import BreakerLimits, State, Verdict
from inference.router import AllOpen, Exhausted, Router, Ticket, Wait
from inference.router_limits import RouterLimits
from inference.window import Window, WindowLimits

MODEL = ("m", "1")
LIMITS = RouterLimits(
    breaker=BreakerLimits(
        failures=5, failure_rate=0.5, min_calls=20, window_s=10.0, open_s=5.0, open_max_s=300.0
    ),
    window=WindowLimits(initial=4, maximum=8),
    ewma_decay_s=10.0,
    full_scan_servers=4,
    backoff_base_s=0.1,
    backoff_max_s=2.0,
    not_ready_recheck_s=1.0,
    slow_s=15.0,
)


def router(servers: int, *, seed: int = 0) -> Router:
    """Return a router whose dice are known."""
    return Router(servers, LIMITS, random=random.Random(seed).random)


def send(subject: Router, now: float, avoid: tuple[int, ...] = ()) -> Ticket:
    """Choose a server, which must have room."""
    choice = subject.choose(now, MODEL, avoid)
    assert isinstance(choice, Ticket)
    return choice


def answer(subject: Router, server: int, *, took_s: float, now: float) -> None:
    """Have one server answer one request."""
    others = tuple(index for index in range(len(subject.routes)) if index != server)
    subject.done(send(subject, now, others), Verdict.SUCCESS, now + took_s)


def fail(subject: Router, server: int, now: float, *, times: int = 5) -> None:
    """Have one server fail several requests."""
    others = tuple(index for index in range(len(subject.routes)) if index != server)
    for _ in range(times):
        subject.done(send(subject, now, others), Verdict.FAILURE, now)


def test_work_goes_where_least_is_outstanding() -> None:
    """Equal servers get equal shares."""
    subject = router(3)
    assert Counter(send(subject, 0.0).server for _ in range(12)) == {0: 4, 1: 4, 2: 4}


def test_a_server_twice_as_slow_gets_half_as_much() -> None:
    """Latency times outstanding is what is compared."""
    subject = router(2)
    answer(subject, 0, took_s=0.1, now=0.0)
    answer(subject, 1, took_s=0.2, now=0.0)
    for route in subject.routes:
        route.window = Window(WindowLimits(initial=100, maximum=100))
    shares = Counter(send(subject, 0.2).server for _ in range(12))
    assert shares[0] == 8


def test_one_slow_answer_counts_at_once_and_fades() -> None:
    """Peak-EWMA: up immediately, down over the decay time, also without new answers."""
    subject = router(2)
    for server in (0, 1):
        answer(subject, server, took_s=0.1, now=0.0)
    answer(subject, 0, took_s=3.0, now=1.0)
    assert subject.routes[0].ewma_s == 3.0
    assert send(subject, 4.0).server == 1
    assert send(subject, 60.0, (1,)).server == 0
    answer(subject, 0, took_s=0.1, now=14.0)
    assert 1.0 < subject.routes[0].ewma_s < 1.3


def test_a_server_that_never_answered_is_found_out() -> None:
    """A new one gets the next request, then its share, though nothing is known of it."""
    subject = router(2)
    answer(subject, 0, took_s=0.1, now=0.0)
    assert send(subject, 50.0).server == 1
    assert {send(subject, 50.0).server for _ in range(3)} == {0, 1}


def test_failing_fast_is_not_rewarded() -> None:
    """A refused connection does not make a server look quick; a time-out makes it look slow."""
    subject = router(2)
    for server in (0, 1):
        answer(subject, server, took_s=0.5, now=0.0)
    fail(subject, 0, 1.0, times=1)
    assert subject.routes[0].ewma_s == 0.5
    ticket = send(subject, 1.0, (1,))
    subject.done(ticket, Verdict.FAILURE, 31.0)
    assert subject.routes[0].ewma_s == 30.0


def test_two_random_candidates_of_many_share_the_work_evenly() -> None:
    """With more servers than are scanned, none is forgotten and none is flooded."""
    subject = router(8)
    shares = Counter(send(subject, 0.0).server for _ in range(16))
    assert set(shares) == set(range(8))
    assert max(shares.values()) <= 4


def test_full_windows_mean_waiting_for_an_answer() -> None:
    """The ninth request of two windows of four waits; one more answer makes room."""
    subject = router(2)
    tickets = [send(subject, 0.0) for _ in range(8)]
    assert subject.choose(0.0, MODEL) == Wait(until=None)
    subject.done(tickets[3], Verdict.SUCCESS, 0.1)
    assert send(subject, 0.1).server == tickets[3].server


def test_an_overloaded_server_pauses_while_others_work() -> None:
    """Load shifts at once; when all pause, the wait says until when; no breaker trips."""
    subject = router(2)
    for _ in range(20):
        subject.overloaded(send(subject, 0.0), 0.0)
        choice = subject.choose(0.0, MODEL)
        if isinstance(choice, Wait):
            break
        assert isinstance(choice, Ticket)
        subject.done(choice, Verdict.UNKNOWN, 0.0)
    else:
        pytest.fail("twenty overloads paused no server")
    ends = [route.paused_until for route in subject.routes]
    assert choice == Wait(until=min(ends))
    assert min(ends) > 0
    assert max(ends) <= LIMITS.backoff_max_s
    assert {route.breaker.state(0.0) for route in subject.routes} == {State.CLOSED}
    assert send(subject, min(ends)).server == ends.index(min(ends))


def test_pauses_grow_with_each_overload_until_an_answer_comes() -> None:
    """Full jitter between nothing and base times two to the overloads."""
    subject = Router(1, LIMITS, random=lambda: 1.0)
    now, pauses = 0.0, []
    for _ in range(7):
        subject.overloaded(send(subject, now), now)
        pauses.append(round(subject.routes[0].paused_until - now, 6))
        now = subject.routes[0].paused_until
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    subject.done(send(subject, now), Verdict.SUCCESS, now)
    assert subject.routes[0].overloads == 0


def test_a_dead_server_is_left_alone_then_probed_once() -> None:
    """One request finds out while all others go to the healthy server."""
    subject = router(2, seed=1)
    fail(subject, 0, 0.0)
    assert {send(subject, 1.0).server for _ in range(4)} == {1}
    assert isinstance(subject.choose(1.0, MODEL), Wait)
    probe = send(subject, 5.0)
    assert (probe.server, probe.permit.probe) == (0, True)
    assert isinstance(subject.choose(5.0, MODEL), Wait)
    subject.done(probe, Verdict.SUCCESS, 5.1)
    assert send(subject, 5.2).server == 0


def test_a_server_whose_last_request_failed_gets_one_at_a_time() -> None:
    """A stuck server costs one request its time-out, not a window of them."""
    subject = router(1)
    fail(subject, 0, 0.0, times=1)
    ticket = send(subject, 0.0)
    assert subject.choose(0.0, MODEL) == Wait(until=None)
    subject.done(ticket, Verdict.SUCCESS, 0.1)
    assert [send(subject, 0.1).server for _ in range(4)] == [0] * 4


def test_when_every_breaker_is_open_the_answer_comes_at_once() -> None:
    """It says when the first server may be probed; then one request does, the others wait."""
    subject = Router(2, LIMITS, random=lambda: 1.0)
    fail(subject, 0, 0.0)
    fail(subject, 1, 2.0)
    assert subject.choose(3.0, MODEL) == AllOpen(retry_after_s=2.0)
    assert subject.choose(3.0, MODEL, {0}) == AllOpen(retry_after_s=2.0)
    probe = send(subject, 5.0)
    assert subject.choose(5.0, MODEL) == Wait(until=None)
    subject.done(probe, Verdict.FAILURE, 5.1)
    assert isinstance(subject.choose(5.1, MODEL), AllOpen)


def test_a_failure_rate_takes_out_at_most_half_of_the_pool() -> None:
    """Of three half-sick servers one is left alone, of one none."""
    for servers, spared in ((3, 2), (2, 1), (1, 1)):
        subject = router(servers)
        for step in range(90):
            for server in range(servers):
                others = tuple(i for i in range(servers) if i != server)
                choice = subject.choose(step * 0.01, MODEL, others)
                if isinstance(choice, Ticket):
                    verdict = Verdict.SUCCESS if step % 3 == 0 else Verdict.FAILURE
                    subject.done(choice, verdict, step * 0.01)
        closed = [route.breaker.state(0.9) is State.CLOSED for route in subject.routes]
        assert sum(closed) == spared


def test_a_server_without_the_model_is_left_out_for_that_model_only() -> None:
    """Readiness is per model and is asked for again after a while."""
    subject = router(2)
    subject.mark(0, MODEL, 0.0, ready=False)
    assert {send(subject, 0.5).server for _ in range(4)} == {1}
    assert isinstance(subject.choose(0.5, ("other", "1")), Ticket)
    assert send(subject, 1.0).server == 0
    subject.mark(0, MODEL, 2.0, ready=False)
    subject.mark(0, MODEL, 2.1, ready=True)
    assert send(subject, 2.2, (1,)).server == 0


def test_a_silent_server_is_passed_over_while_another_is_heard() -> None:
    """Also by a request that the other one failed; alone it is asked as ever."""
    subject = router(2)
    subject.routes[0].silent = True
    assert {send(subject, 0.0).server for _ in range(4)} == {1}
    assert subject.choose(0.0, MODEL) == Wait(until=None)
    assert subject.choose(0.0, MODEL, {1}) == Exhausted(False, 0.0)
    assert (subject.can_spare(0, MODEL, 0.0), subject.can_spare(1, MODEL, 0.0)) == (True, False)
    for _ in range(5):
        subject.blame(1, 0.0)
    assert send(subject, 0.0).server == 0
    assert not subject.can_spare(0, MODEL, 0.0)


def test_a_slow_server_gets_less_at_a_time_and_no_blame() -> None:
    """A late answer halves its window, and so does one that came close; its latency counts."""
    subject = router(1)
    tickets = [send(subject, 0.0) for _ in range(4)]
    for ticket in tickets:
        subject.slow(ticket, 30.0)
    (route,) = subject.routes
    assert (route.window.size, route.outstanding, route.ewma_s) == (2, 0, 30.0)
    assert route.breaker.state(30.0) is State.CLOSED
    assert not route.breaker.suspect
    subject.done(send(subject, 31.0), Verdict.SUCCESS, 31.0 + LIMITS.slow_s + 1)
    assert route.window.size == 1


@pytest.mark.parametrize(("best_s", "took_s", "size"), [(0.1, 1.9, 4), (0.1, 2.1, 2), (3.0, 4, 4)])
def test_a_server_where_requests_wait_for_longer_than_callers_want_gets_less(
    best_s: float, took_s: float, size: int
) -> None:
    """Not one whose model takes that long by itself."""
    subject = router(1)
    subject.done(send(subject, 0.0), Verdict.SUCCESS, best_s)
    subject.done(send(subject, 10.0), Verdict.SUCCESS, 10.0 + took_s, prompt_s=2.0)
    assert subject.routes[0].window.size == size


def test_with_nowhere_left_to_go_it_says_why() -> None:
    """All avoided is not the same as all without the model."""
    subject = router(2)
    assert subject.choose(0.0, MODEL, {0, 1}) == Exhausted(False, 0.0)
    for server in (0, 1):
        subject.mark(server, MODEL, 0.0, ready=False)
    assert subject.choose(0.25, MODEL) == Exhausted(True, 0.75)


def test_blame_opens_a_server_whose_faults_others_do_not_have() -> None:
    """Five requests that another server could answer."""
    subject = router(2)
    for _ in range(5):
        subject.blame(0, 0.0)
    assert subject.routes[0].breaker.state(0.0) is State.OPEN


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["choose", "mark", *Verdict, "overload"]),
        st.integers(0, 3),
        st.floats(0, 3),
    ),
    max_size=150,
)


@given(ACTIONS, st.integers(1, 4), st.integers(0, 2**16))
def test_places_are_counted_bounded_and_given_back(
    actions: list[tuple[Verdict | str, int, float]], servers: int, seed: int
) -> None:
    """In any history: no window is overrun, no probe runs beside another, nothing leaks."""
    subject, now, tickets = router(servers, seed=seed), 0.0, list[Ticket]()
    for action, number, step_s in actions:
        now += step_s
        if action == "choose":
            choice = subject.choose(now, MODEL, {number} if servers > 1 else ())
            if isinstance(choice, Ticket):
                assert choice.server != number or servers == 1
                tickets.append(choice)
        elif action == "mark":
            subject.mark(number % servers, MODEL, now, ready=step_s > 1)
        elif tickets:
            ticket = tickets.pop(number % len(tickets))
            if isinstance(action, Verdict):
                subject.done(ticket, action, now)
            else:
                subject.overloaded(ticket, now)
        held = Counter(ticket.server for ticket in tickets)
        for index, route in enumerate(subject.routes):
            assert route.outstanding == held[index]
            assert 1 <= route.window.size <= LIMITS.window.maximum
            assert route.ewma_s >= 0
    for ticket in tickets:
        subject.done(ticket, Verdict.UNKNOWN, now)
    assert [route.outstanding for route in subject.routes] == [0] * servers
    assert isinstance(subject.choose(now + 400, MODEL), Ticket)
