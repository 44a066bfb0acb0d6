"""Score nights with a real Prefect and a real Triton."""

import asyncio
from datetime import date

import pytest

from flows.errors import NightsFailed
from flows.nightly import Night, nightly
from flows.nights import NightlyJob
from tests.flows.bench import numbers
from tests.flows.workplace import PLATFORM_MARKS, Workplace

pytestmark = PLATFORM_MARKS

FIRST, SECOND, THIRD, FOURTH = (date(2026, 3, day) for day in range(1, 5))


def run(
    workplace: Workplace, first: date | None = None, last: date | None = None, **asked: int
) -> list[Night]:
    """Run the flow as a worker does, for the nights between."""
    job = workplace.job(source="lake/date={date}", output="scores/date={date}", **asked)
    return asyncio.run(nightly(NightlyJob(job=job), first, last))


def night(workplace: Workplace, day: date, rows: int, *more: float | None) -> None:
    """Write one night's partition: as many good rows, and `more`."""
    values = [*map(float, range(rows)), *more]
    numbers(workplace.folder / "lake" / f"date={day}" / "a.parquet", values)


def is_scored(workplace: Workplace, day: date) -> bool:
    """Whether the night's scores may be read."""
    return workplace.is_published(f"scores/date={day}")


def test_nights_are_scored_once(workplace: Workplace) -> None:
    """A second run scores what was missing alone, with the alias as it is by then."""
    night(workplace, FIRST, 3)
    night(workplace, THIRD, 5)
    assert run(workplace, FIRST, THIRD) == [
        Night(date=FIRST, outcome="scored", words="3 rows with doubling@1, 0 quarantined"),
        Night(date=SECOND, outcome="no data"),
        Night(date=THIRD, outcome="scored", words="5 rows with doubling@1, 0 quarantined"),
    ]
    workplace.register(x=["x"])
    night(workplace, SECOND, 4)
    assert run(workplace, FIRST, THIRD) == [
        Night(date=FIRST, outcome="published before"),
        Night(date=SECOND, outcome="scored", words="4 rows with doubling@2, 0 quarantined"),
        Night(date=THIRD, outcome="published before"),
    ]


def test_a_bad_night_does_not_hold_up_the_next(workplace: Workplace) -> None:
    """Whatever is damaged of it: the run fails in the end, and says which night and why."""
    for day in (FIRST, SECOND, THIRD, FOURTH):
        night(workplace, day, 3)
    (workplace.folder / "lake" / f"date={FIRST}" / "b.parquet").write_bytes(b"not Parquet at all")
    (workplace.folder / "lake" / f"date={SECOND}" / "a.parquet").write_bytes(b"nor is this")
    manifest = workplace.folder / "scores" / f"date={THIRD}" / "_manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{")
    with pytest.raises(NightsFailed, match=r"^3 nights not scored: ") as caught:
        run(workplace, FIRST, FOURTH)
    named = [words[: len("2026-03-01")] for words in caught.value.nights]
    assert named == [str(FIRST), str(SECOND), str(THIRD)]
    told = zip(caught.value.nights, ("b.parquet", "a.parquet", "_manifest.json"), strict=True)
    assert [file for words, file in told if file not in words] == []
    published = [day for day in (FIRST, SECOND, FOURTH) if is_scored(workplace, day)]
    assert published == [FOURTH]


def test_an_unfinished_night_keeps_its_version(workplace: Workplace) -> None:
    """Though the alias has moved: what is committed would be thrown away otherwise."""
    night(workplace, FIRST, 100, None)
    with pytest.raises(NightsFailed, match=r"at least 1 row cannot be scored"):
        run(workplace, FIRST)
    workplace.register(x=["x"])
    assert run(workplace, FIRST, max_quarantined_rows=1) == [
        Night(date=FIRST, outcome="scored", words="100 rows with doubling@1, 1 quarantined")
    ]


def test_a_scheduled_run_without_its_data_fails(workplace: Workplace) -> None:
    """The data is late: somebody is to know, and the next run catches up."""
    with pytest.raises(NightsFailed, match=r"1 night not scored: .*no such input"):
        run(workplace)
