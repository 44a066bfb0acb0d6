"""Say which nights there are to score."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from inference.jobs import BatchJob

PLACE = "{date}"
"""What stands for the night's date in an address."""
MOST_NIGHTS = 366
"""Nights of one run: a year; more is a mistake in a date, or worth several runs."""


class NightlyJob(BaseModel):
    """The job of each night."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    job: BatchJob = Field(
        description="What is scored, as for one job, with {date} in input and output for the "
        "night's date: s3://lake/flights/date={date}/. An alias means the version that it points "
        "to when the night is scored."
    )
    time_zone: str = Field(
        default="UTC",
        description="Where a day begins and ends; the one of the schedule.",
        examples=["Europe/Berlin"],
    )
    lag_days: int = Field(
        default=1,
        ge=0,
        le=31,
        description="Days between a night's date and the day on which it is scored: 1 scores "
        "yesterday's partition, which is whole by then.",
    )
    catch_up: int = Field(
        default=7,
        ge=1,
        le=MOST_NIGHTS,
        description="Nights that a run looks at, the last one included. Those that are published "
        "are passed over, the others are scored, oldest first: a week outlasts a long weekend.",
    )

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(
                f"no time zone is called {name!r}: write one like Asia/Tokyo"
            ) from error
        return name

    @model_validator(mode="after")
    def _has_dates(self) -> "NightlyJob":
        for name, uri in (("input", self.job.input), ("output", self.job.output)):
            if PLACE not in uri:
                raise ValueError(f"{name} {uri!r} is the same every night: put {PLACE} into it")
        return self


def night_of(moment: datetime, time_zone: str, lag_days: int) -> date:
    """Return the date of the night that a run at `moment` is for; `moment` has a zone."""
    return moment.astimezone(ZoneInfo(time_zone)).date() - timedelta(days=lag_days)


def last_nights(last: date, count: int) -> tuple[date, ...]:
    """Return `count` nights up to `last`, oldest first."""
    return tuple(last - timedelta(days=back) for back in range(count - 1, -1, -1))


def nights_between(first: date, last: date) -> tuple[date, ...]:
    """Return the nights from `first` to `last`, both included. Raises `ValueError`."""
    count = (last - first).days + 1
    if not 1 <= count <= MOST_NIGHTS:
        raise ValueError(f"{first} to {last}: name at least one night, at most {MOST_NIGHTS}")
    return last_nights(last, count)


def job_of(nightly: NightlyJob, night: date) -> BatchJob:
    """Return the job of one night."""
    there = {
        name: getattr(nightly.job, name).replace(PLACE, night.isoformat())
        for name in ("input", "output")
    }
    return nightly.job.model_copy(update=there)


def asked_nights(
    nightly: NightlyJob, moment: datetime, first: date | None, last: date | None
) -> Iterator[tuple[date, BatchJob]]:
    """Give each night of a run with its job, oldest first.

    1. Neither `first` nor `last`: the night that a run at `moment` is for, and those before it that
       are caught up on.
    2. Both: the nights between.
    3. One of them: that night alone.
    """
    named = [night for night in (first, last) if night is not None]
    due = night_of(moment, nightly.time_zone, nightly.lag_days)
    nights = nights_between(named[0], named[-1]) if named else last_nights(due, nightly.catch_up)
    for night in nights:
        yield night, job_of(nightly, night)
