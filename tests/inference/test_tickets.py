"""Which job a run works for, by its tags."""

import pytest

from inference.tickets import Published, Ticket


def test_a_tag_is_read_as_it_is_written() -> None:
    """Among others that a person or Prefect gave the run."""
    ticket = Ticket("1a2b3c4d5e6-0f1e2d3c", 3)
    assert Ticket.among(["nightshift", ticket.tag, "mine"]) == ticket


@pytest.mark.parametrize(
    "tag",
    ["nightshift-job", "nightshift-job/a", "nightshift-job//1", "nightshift-job/a/x", "job/a/1"],
)
def test_other_tags_are_no_ticket(tag: str) -> None:
    """A run without a job tells nobody."""
    assert Ticket.among([tag]) is None


def test_the_end_of_a_run_is_read_as_it_was_told() -> None:
    """Other messages of Prefect tell no counts."""
    end = Published(rows=336776, quarantined=8255, shards=12)
    assert end.words == "336776 rows, 8255 of them in the quarantine, in 12 shards"
    assert Published.told(end.words) == end
    assert Published.told("All states completed.") is None
    assert Published.told("") is None
