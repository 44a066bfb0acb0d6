"""How many rows a request may have."""

from hypothesis import given
from hypothesis import strategies as st

from inference.pace import Pace

MODEL = ("m", "1")


def pace() -> Pace:
    """Return one that knows nothing."""
    return Pace(target_s=15.0, first_rows=16)


def test_an_answer_says_how_many_rows_fit() -> None:
    """Sixteen rows of a queue of 1.5 s: ten times as many fill the time; models are apart."""
    subject = pace()
    assert subject.most_rows(MODEL) == 16
    subject.answered(MODEL, 16, server=0, own_s=1.5, queue_s=1.5, now=1.0)
    assert (subject.most_rows(MODEL), subject.most_rows(("m", "2"))) == (160, 16)


def test_a_slow_answer_to_few_rows_says_nothing_of_many() -> None:
    """What a request costs besides its rows must not cut those that are well."""
    subject = pace()
    subject.answered(MODEL, 1000, server=0, own_s=1.0, queue_s=1.0, now=1.0)
    subject.answered(MODEL, 1, server=0, own_s=14.0, queue_s=14.0, now=2.0)
    assert subject.most_rows(MODEL) == 15_000


def test_a_late_answer_cuts_and_the_next_ones_raise_again() -> None:
    """Twice the time at least: half of the rows at most."""
    subject = pace()
    subject.answered(MODEL, 1000, server=0, own_s=1.0, queue_s=1.0, now=1.0)
    subject.late(MODEL, 15_000, queue_s=30.0)
    assert subject.most_rows(MODEL) == 7500
    subject.answered(MODEL, 7500, server=0, own_s=10.0, queue_s=10.0, now=2.0)
    assert subject.most_rows(MODEL) == 11_250


def test_it_knows_when_each_server_answered_last() -> None:
    """Of each model by itself."""
    subject = pace()
    for server, now in ((0, 1.0), (1, 2.0), (0, 3.0)):
        subject.answered(MODEL, 1, server=server, own_s=1.0, queue_s=1.0, now=now)
    assert subject.answered_at(MODEL) == {0: 3.0, 1: 2.0}
    assert subject.answered_at(("other", "1")) == {}


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 10**6), st.floats(0, 1e6)), max_size=50))
def test_there_is_always_a_row_to_ask_for(events: list[tuple[bool, int, float]]) -> None:
    """Whatever happened; a late answer never raises the limit, an answer never lowers it."""
    subject = pace()
    for is_late, rows, queue_s in events:
        before = subject.most_rows(MODEL)
        if is_late:
            subject.late(MODEL, rows, queue_s=queue_s)
            assert 1 <= subject.most_rows(MODEL) <= before
        else:
            subject.answered(MODEL, rows, server=0, own_s=queue_s, queue_s=queue_s, now=0.0)
            assert subject.most_rows(MODEL) >= before


def test_a_brief_request_has_a_twelfth_of_the_rows_at_least() -> None:
    """As many as are answered in the time, none more than else; before anything is known, all."""
    subject = Pace(target_s=15.0, first_rows=16)
    assert subject.brief_rows(MODEL, target_s=0.01) == 16
    subject.answered(MODEL, 1200, server=0, own_s=1.2, queue_s=0.1, now=1.0)
    assert subject.brief_rows(MODEL, target_s=0.5) == 500
    assert subject.brief_rows(MODEL, target_s=0.0001) == 100
    assert subject.brief_rows(MODEL, target_s=3600.0) == subject.most_rows(MODEL)
