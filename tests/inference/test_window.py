"""Windows of requests in flight."""

from hypothesis import given
from hypothesis import strategies as st

from inference.window import Window, WindowLimits

LIMITS = WindowLimits(initial=4, maximum=16)


def test_a_used_window_grows_by_one_for_each_windowful_of_answers() -> None:
    """Additive increase."""
    window = Window(LIMITS)
    for _ in range(5):
        window.answered(outstanding=window.size)
    assert window.size == 5


def test_an_unused_window_does_not_grow() -> None:
    """Answers to few requests teach nothing about many."""
    window = Window(LIMITS)
    for _ in range(100):
        window.answered(outstanding=1)
    assert window.size == 4


def test_one_overload_of_many_in_flight_halves_once() -> None:
    """Requests that were sent before the last cut say nothing about the new window."""
    window = Window(LIMITS)
    window.overloaded(sent_at=0.0, now=1.0)
    window.overloaded(sent_at=0.5, now=1.1)
    assert window.size == 2
    window.overloaded(sent_at=1.2, now=1.3)
    assert window.size == 1


@given(st.lists(st.booleans(), max_size=300))
def test_a_window_stays_between_one_and_its_maximum(overloads: list[bool]) -> None:
    """Whatever happens, some request may be sent and the server is not flooded."""
    window = Window(LIMITS)
    for now, overload in enumerate(overloads):
        if overload:
            window.overloaded(sent_at=float(now), now=float(now))
        else:
            window.answered(outstanding=window.size)
        assert 1 <= window.size <= LIMITS.maximum
