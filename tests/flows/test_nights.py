"""Check which nights are scored, wherever and whenever a run begins."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from flows.nights import (
    NightlyJob,
    asked_nights,
    job_of,
    last_nights,
    night_of,
    nights_between,
)
from inference.jobs import BatchJob

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
JOB = BatchJob(
    model="flights@champion",
    input="s3://lake/in/date={date}/",
    output="s3://lake/out/{date}/{date}",
)
ONE_DAY = timedelta(days=1)


def nightly(**fields: object) -> NightlyJob:
    return NightlyJob.model_validate({"job": JOB.model_dump(), **fields})


DAYS = st.dates(date(1990, 1, 1), date(2100, 1, 1))


@given(st.sampled_from(ZONES), DAYS, st.times(), st.integers(0, 31))
def test_a_run_is_for_the_day_that_its_place_has(
    zone: str, day: date, at: time, lag_days: int
) -> None:
    """At any time of the day, with the hour that summer time repeats or leaves out as well."""
    for fold in (0, 1):
        local = datetime.combine(day, at, ZoneInfo(zone)).replace(fold=fold)
        assert night_of(local.astimezone(UTC), zone, lag_days) == day - lag_days * ONE_DAY


@given(st.sampled_from(ZONES), DAYS, st.times(), st.integers(1, 20), st.integers(1, 30))
def test_no_night_is_missed(zone: str, day: date, at: time, away: int, catch_up: int) -> None:
    """When runs were missed for fewer days than are caught up on; none is looked at twice."""
    plan = nightly(time_zone=zone, catch_up=catch_up)

    def looked_at(on: date) -> list[date]:
        moment = datetime.combine(on, at, ZoneInfo(zone)).astimezone(UTC)
        return [night for night, _ in asked_nights(plan, moment, None, None)]

    before, after = looked_at(day), looked_at(day + away * ONE_DAY)
    assert after == sorted(set(after))
    assert len(after) == catch_up
    unseen = (after[0] - before[-1]).days - 1
    assert unseen == max(away - catch_up, 0) if away >= catch_up else unseen < 0


def test_a_late_run_is_for_the_night_that_it_was_scheduled_for() -> None:
    """The moment is that of the schedule; the same instant is another day elsewhere."""
    moment = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    assert night_of(moment, "UTC", 1) == date(2026, 11, 22)
    assert night_of(moment, "Asia/Kolkata", 1) == date(2026, 11, 23)


def test_the_date_stands_in_both_addresses() -> None:
    """Everywhere it is asked for; nothing else of the job changes."""
    assert job_of(nightly(), date(2026, 3, 1)) == JOB.model_copy(
        update={
            "input": "s3://lake/in/date=2026-03-01/",
            "output": "s3://lake/out/2026-03-01/2026-03-01",
        }
    )


def test_nights_are_oldest_first() -> None:
    """Over the end of a month."""
    nights = (date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1))
    assert last_nights(date(2026, 3, 1), 3) == nights
    assert nights_between(nights[0], nights[-1]) == nights


@pytest.mark.parametrize("last", [date(2026, 1, 1), date(2027, 1, 3)])
def test_a_range_is_bounded(last: date) -> None:
    """Neither none nor more than a year."""
    with pytest.raises(ValueError, match="name at least one night, at most 366"):
        nights_between(date(2026, 1, 2), last)


def test_one_end_is_one_night() -> None:
    """As a person who types one date means it."""
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    for ends in ((date(2026, 1, 5), None), (None, date(2026, 1, 5))):
        nights = [night for night, _ in asked_nights(nightly(), moment, *ends)]
        assert nights == [date(2026, 1, 5)]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"time_zone": "Mars/Olympus"}, "no time zone is called 'Mars/Olympus'"),
        ({"time_zone": "../UTC"}, "no time zone is called '../UTC'"),
        ({"job": {"model": "m@1", "input": "in", "output": "{date}"}}, "put {date} into it"),
        ({"job": {"model": "m@1", "input": "{date}", "output": "out"}}, "put {date} into it"),
        ({"catch_up": 0}, "greater than or equal to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, object], words: str) -> None:
    """When it is submitted, not at night."""
    with pytest.raises(ValidationError) as caught:
        nightly(**fields)
    assert words in str(caught.value)
