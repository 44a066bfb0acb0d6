"""The journal is read while servers write to it."""

from pathlib import Path

from tests.chaos.jobs.witness import Noted, Witness, asked_twice, of_jobs


def test_a_line_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    """A mark never falls into it, and it is read once it is whole."""
    witness = Witness(tmp_path)
    journal = Path(witness.environment["WITNESS_JOURNAL"])
    assert (witness.mark(), witness.noted()) == (0, [])
    with journal.open("ab", buffering=0) as server:
        server.write(b"1.5 77 0 50 -\n2.5 77 5")
        first = Noted(1.5, 77, 0, 50, "-")
        assert witness.noted() == [first]
        mark = witness.mark()
        server.write(b"0 50 short\n")
    second = Noted(2.5, 77, 50, 50, "short")
    assert (witness.noted(0, mark), witness.noted(mark), witness.noted()) == (
        [first],
        [second],
        [first, second],
    )


def test_what_was_asked_twice_is_found() -> None:
    """By its first row; requests that only wait for their turn are of no job."""
    requests = [Noted(1.0, 77, first, 50, "-") for first in (0, 50, -1, 100, 50, -1, 0, 150)]
    assert asked_twice(of_jobs(requests)) == [0, 50]
    assert asked_twice(requests[:2]) == []
