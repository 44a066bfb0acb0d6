"""The tables of the page."""

import pytest

from benchmarks.summary import Summary
from benchmarks.table import NoPlace, comparison, replace_part, sentence
from benchmarks.verdict import Verdict
from tests.benchmarks.figures import DAFT, LOOP, OURS, READ


def summary(rate: float) -> Summary:
    """A case of that rate."""
    return Summary(rate, rate - 1, rate + 1, 2.04, 0.5, 123_456_789)


def test_ours_comes_first_then_peers_by_rate_then_ceilings() -> None:
    """Each has its settings, and its rate as a multiple of ours."""
    found = {LOOP: summary(500), READ: summary(4_000), DAFT: summary(1_500), OURS: summary(2_000)}
    knobs = {LOOP: {"batch_rows": 4_096}, READ: {}, DAFT: {"batch_rows": 2, "processes": 0}}
    lines = comparison(found, knobs | {OURS: {}}, {})
    assert lines[2:] == [
        "| Nightshift | as it comes | 2,000 | 1,999 to 2,001 | 1.00 | 2.0 | 0.5 | 123 |",
        "| Daft | batch_rows 2, processes 0 | 1,500 | 1,499 to 1,501 | 0.75 | 2.0 | 0.5 | 123 |",
        "| plain loop | batch_rows 4,096 | 500 | 499 to 501 | 0.25 | 2.0 | 0.5 | 123 |",
        "| reading | as it comes | 4,000 | 3,999 to 4,001 | 2.00 | 2.0 | 0.5 | 123 |",
    ]
    assert len({line.count("|") for line in lines}) == 1


def test_what_was_left_out_is_told_with_the_reason() -> None:
    """Without our own case there are no multiples."""
    lines = comparison({LOOP: summary(500)}, {LOOP: {}}, {DAFT: "left out: there is no Java"})
    assert lines[2:] == [
        "| plain loop | as it comes | 500 | 499 to 501 |  | 2.0 | 0.5 | 123 |",
        "| Daft | left out: there is no Java | | | | | | |",
    ]


def test_the_verdict_in_words() -> None:
    """Peer and ceiling are named."""
    assert sentence(Verdict("daft", 2.345, "read", 0.5, 0.125), (OURS, DAFT, READ)) == (
        "Nightshift is 2.35 × the fastest peer (Daft), 0.50 of the ceiling (reading), "
        "0.12 of Triton fed from memory."
    )


def test_replaces_what_is_between_the_marks() -> None:
    """The rest of the page stays, and a second time changes nothing."""
    page = "# Page\n<!-- begin wide -->\nold\n<!-- end wide -->\n<!-- begin text -->\n"
    once = replace_part(page, "wide", ["a", "b"])
    assert once == "# Page\n<!-- begin wide -->\na\nb\n<!-- end wide -->\n<!-- begin text -->\n"
    assert replace_part(once, "wide", ["a", "b"]) == once


@pytest.mark.parametrize("name", ["text", "embed"])
def test_a_page_without_a_place_is_refused(name: str) -> None:
    """A mark that does not end is no place."""
    with pytest.raises(NoPlace, match=f"begin {name}"):
        replace_part("<!-- begin text -->\n", name, [])
