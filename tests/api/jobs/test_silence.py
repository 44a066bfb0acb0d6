"""How long runs have said nothing."""

from datetime import timedelta

from api.jobs.silence import Listener


def _silent(listener: Listener, now_s: float, **words: object) -> dict[str, float]:
    heard = listener.heard(words, now_s)
    return {job: silent / timedelta(seconds=1) for job, silent in heard.items()}


def test_silence_is_counted_from_look_to_look() -> None:
    """A new word ends it; a job that is seen for the first time has said something."""
    listener = Listener(most_gap_s=20)
    assert _silent(listener, 100, a=1, b=1) == {"a": 0, "b": 0}
    assert _silent(listener, 105, a=1, b=2, c=1) == {"a": 5, "b": 0, "c": 0}
    assert _silent(listener, 112, a=1, b=2) == {"a": 12, "b": 7}
    assert _silent(listener, 113, a=1, c=1) == {"a": 13, "c": 0}


def test_a_gap_counts_for_little() -> None:
    """Nobody listened in it."""
    listener = Listener(most_gap_s=20)
    _silent(listener, 0, a=1)
    assert _silent(listener, 3600, a=1) == {"a": 20}
    assert _silent(listener, 3605, a=1) == {"a": 25}
