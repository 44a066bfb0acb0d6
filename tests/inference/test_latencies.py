"""How long answers usually take."""

import pytest

from inference.latencies import Latencies


def test_what_is_usual_is_known_after_sixteen_answers() -> None:
    """Before, one of them would say everything."""
    subject = Latencies()
    for _ in range(15):
        subject.note(0.01)
    assert subject.usual_s is None
    subject.note(0.01)
    assert subject.usual_s == 0.01


def test_one_answer_in_twenty_is_slower_than_usual() -> None:
    """Of the last 128; those before are forgotten."""
    subject = Latencies()
    for _ in range(500):
        subject.note(5.0)
    for number in range(128):
        subject.note(number / 1000)
    assert subject.usual_s == 0.121


def test_the_mean_follows_the_newest() -> None:
    """The first is believed whole."""
    subject = Latencies()
    subject.note(1.0)
    assert subject.mean_s == 1.0
    for _ in range(200):
        subject.note(0.1)
    assert subject.mean_s == pytest.approx(0.1, rel=0.01)


def test_the_shortest_time_is_slowly_forgotten() -> None:
    """A server that has become slower is not held against its best for ever."""
    subject = Latencies()
    for _ in range(700):
        subject.note(1.0)
    subject.note(0.1)
    assert subject.least_s == 0.1
    for _ in range(700):
        subject.note(1.0)
    assert subject.least_s == pytest.approx(0.2, rel=0.02)
