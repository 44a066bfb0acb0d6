"""What several commands take: moments, tags, who runs them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import typer

from cli.options import parse_moment, parse_tags

CAMP = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-03", datetime(2026, 5, 3, tzinfo=UTC)),
        ("2026-05-03 02:00", datetime(2026, 5, 3, 2, tzinfo=UTC)),
        ("2026-05-03T02:00:01.5Z", datetime(2026, 5, 3, 2, 0, 1, 500_000, tzinfo=UTC)),
        ("2026-05-03T02:00+02:00", datetime(2026, 5, 3, 2, tzinfo=CAMP)),
    ],
)
def test_a_moment_is_in_utc_unless_it_names_a_zone(text: str, moment: datetime) -> None:
    """However it is written, what comes out is in UTC."""
    found = parse_moment(text)
    assert (found, found.tzinfo) == (moment, UTC)


@pytest.mark.parametrize("text", ["", "3 May", "2026-13-01", "0001-01-01T00:00+14:00"])
def test_what_is_no_moment_is_a_usage_error(text: str) -> None:
    """It shows how to write one."""
    with pytest.raises(typer.BadParameter, match="is no moment: write now, or 2026-05-03T02:00"):
        parse_moment(text)


def test_tags_are_read() -> None:
    """A value may be empty and may have an equals sign."""
    assert parse_tags(["team=pay", "note=", "rule=a=b"]) == {
        "team": "pay",
        "note": "",
        "rule": "a=b",
    }


@pytest.mark.parametrize("options", [["team"], ["=pay"], ["team=a", "team=b"]])
def test_tags_that_cannot_be_read_are_usage_errors(options: list[str]) -> None:
    """The option is shown with how to write it."""
    with pytest.raises(typer.BadParameter, match="--tag"):
        parse_tags(options)
