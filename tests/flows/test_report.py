"""The job report as a page."""

from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pytest

from flows.bottleneck import Bound, Ceiling, StageTime
from flows.profile import BytesProfile, NumberProfile, Profile
from flows.report import render_report
from flows.report_data import (
    ExampleRow,
    FileLineage,
    JobReport,
    QuarantineReason,
)

_VOID = {"meta", "line", "rect", "br"}

REPORT = JobReport(
    job="flights@champion",
    model="flights@3",
    model_digest="sha256:abc",
    input_uri="s3://lake/flights/",
    output_uri="s3://lake/scores/",
    started_at=datetime(2026, 11, 23, 2, 13, 55, tzinfo=UTC),
    published_at=datetime(2026, 11, 23, 2, 14, 9, tzinfo=UTC),
    rows_in=1000,
    rows_ok=990,
    rows_quarantined=10,
    rows_this_run=600,
    shards_scored=3,
    shards_adopted=2,
    part_bytes=2048,
    wall_s=14.0,
    scoring_s=2.0,
    stages=(StageTime("read", 0.5, 2), StageTime("queue", 1.0, 8), StageTime("compute", 1.5, 1)),
    bound=Bound("compute", 0.75, Ceiling(400.0, 0.75, None), (("compute", 0.75),)),
    columns={"features": ("dep_delay", "hour")},
    outputs={"delay": NumberProfile.of(np.arange(990) / 7)},
    reasons=(
        QuarantineReason(
            "null in dep_delay",
            "encode",
            7,
            (ExampleRow("month=1/a.parquet", 837, "", {"dep_delay": "null", "hour": "6" * 99}),),
        ),
        QuarantineReason(
            "value outside INT8 in hour",
            "encode",
            2,
            (
                ExampleRow("month=1/a.parquet", 9, "300", {"hour": "300"}),
                ExampleRow("month=1/a.parquet", 10, "301", {"hour": "301"}),
            ),
        ),
    ),
    files=(FileLineage("month=1/a.parquet", '"e1"', 4096, 1000),),
    fingerprint="f" * 64,
    versions={"nightshift": "0.1.0", "triton": "2.51.0"},
)


class Page(HTMLParser):
    """Reads a page; refuses tags that do not match or that could load anything."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "link", "img", "iframe", "object"}
        assert not [name for name, _ in attrs if name.startswith("on") or name in {"src", "href"}]
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.text.append(data.replace("\N{NO-BREAK SPACE}", " "))


def read(report: JobReport) -> str:
    """The words of a report's page."""
    return " | ".join(Page(render_report(report)).text)


def test_the_page_tells_counts_rate_time_output_quarantine_lineage() -> None:
    """Everything that a reader asks first."""
    words = read(REPORT)
    for said in [
        "flights@3 scored 990 of 1,000 rows",
        "Published 23 November 2026, 02:14:09 UTC (asked for as flights@champion).",
        "rows scored, 99.0 %",
        "rows quarantined, 1.0 %",
        "300 | rows per second while scoring",
        "14.0 s | wall time, 2.0 s of it scoring",
        "5 | shards: 3 scored, 2 adopted",
        "= 1,000 rows in, every one accounted for",
        "Bounded by compute, busy 75 % of the time; its instances, at this pace and never",
        "read | 12 % of 2 | queue | 6 % of 8 | compute | 75 % of 1",
        "delay | 990 values",
        "null in dep_delay | 7 rows · 70.0 % of them · stage encode",
        "2 example rows",
        "1 more rows for other reasons.",
        "s3://lake/scores/ |  · 2.0 KiB in parts",
        "features ← dep_delay, hour",
        "nightshift 0.1.0 · triton 2.51.0",
        '1 input file | file | rows | size | etag | month=1/a.parquet | 1,000 | 4.0 KiB | "e1"',
    ]:
        assert said in words


def test_nothing_from_the_job_is_taken_for_markup() -> None:
    """Names, values, reasons or notes may hold anything."""
    evil = '<script src="http://x/">&"\''
    report = replace(
        REPORT,
        job=evil,
        model=evil,
        model_digest=evil,
        input_uri=evil,
        output_uri=evil,
        columns={evil: (evil,)},
        outputs={evil: BytesProfile.of([evil])},
        reasons=(QuarantineReason(evil, evil, 10, (ExampleRow(evil, 1, evil, {evil: evil}),)),),
        files=(FileLineage(evil, evil, 1, 1),),
        stages=(StageTime(evil, 1.0, 1),),
        bound=Bound(evil, 0.5, None, ((evil, 0.5), (evil, 0.0))),
        fingerprint=evil,
        versions={evil: evil, "nightshift": evil},
        notes=(evil,),
    )
    assert "<script" not in render_report(report)
    assert read(report).count(evil) >= 17


def test_a_rerun_that_scored_nothing_says_so() -> None:
    """No rate is made up."""
    report = replace(
        REPORT,
        job="flights@3",
        rows_this_run=0,
        shards_scored=0,
        scoring_s=0.0,
        stages=(),
        bound=None,
    )
    words = read(report)
    assert report.rate is None
    assert "– | rows per second while scoring" in words
    assert "Nothing had to be scored in this run." in words
    assert "asked for" not in words


def test_what_bounds_the_run_stands_out() -> None:
    """All of its stages; nothing where nothing does."""
    page = render_report(REPORT)
    assert page.count("row strong") == 1
    assert '<i style="width:75.00%">' in page, "a full bar is all of the time"
    reading = Bound("reading", 0.8, Ceiling(9.0, 0.3, 2), (("read", 0.5), ("queue", 0.3)))
    assert render_report(replace(REPORT, bound=reading)).count("row strong") == 2
    unclear = render_report(replace(REPORT, bound=replace(reading, share=0.4)))
    assert "Bounded by no stage: reading, the busiest," in unclear
    assert "row strong" not in unclear
    assert "Bounded by" not in read(replace(REPORT, bound=None))


def test_a_dataset_without_rows_has_a_report() -> None:
    """Nothing is divided by zero."""
    words = read(
        replace(
            REPORT,
            rows_in=0,
            rows_ok=0,
            rows_quarantined=0,
            outputs={"delay": NumberProfile(), "label": BytesProfile()},
            reasons=(),
            files=(),
        )
    )
    assert "The dataset has no rows" in words
    assert "No finite number." in words
    assert "Nothing: every row was scored." in words
    assert "What came out" not in read(replace(REPORT, outputs={}))


def test_rows_that_do_not_add_up_are_not_hidden() -> None:
    """The page shows what it was given."""
    assert "≠ 1,001 rows in: 1 unaccounted for" in read(replace(REPORT, rows_in=1001))


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        (NumberProfile.of(np.full(4, 3.25)), "Every number is 3.25."),
        (NumberProfile.of(np.array([1.0, np.nan, np.inf])), "Every finite number is 1."),
        (NumberProfile.of(np.array([1.0, np.nan, np.nan])), "NaN | 2"),
        (NumberProfile.of(np.array([np.inf])), "infinite | 1"),
        (NumberProfile.of(np.array([0, 1, 1, 1, 2])), "median | 1 | mean | 1"),
        (NumberProfile.of(np.array([0, 0, 1, 1])), "median | 0 | mean | 0.5"),
        (NumberProfile.of(np.array([-2, -1, -1])), "median | −1 |"),
        (
            NumberProfile.of(np.append(np.linspace(0, 1, 9999), [500.0, -400.0])),
            "Not drawn: 1 values below (down to −400); 1 values above (up to 500).",
        ),
        (BytesProfile.of([b"late"] * 3 + [b""]), "late | 3 · 75.0 % | (empty) | 1 · 25.0 %"),
        (BytesProfile.of(b"%d" % k for k in range(99)), "> 64"),
        (
            BytesProfile.of([b"often"] * 9 + [b"%d" % k for k in range(99)]),
            "often | ≥ 8 · 7.4 %",
        ),
        (BytesProfile.of(b"%d" % k for k in range(99)), "No value came often enough to be told."),
    ],
)
def test_each_kind_of_output_is_told_as_it_is(profile: Profile, said: str) -> None:
    """Constants, labels, missing numbers, tails; exact where it can be, marked where not."""
    assert said in read(replace(REPORT, outputs={"y": profile}))


def test_many_outputs_share_the_page() -> None:
    """Two or more are drawn beside each other."""
    outputs = {name: NumberProfile.of(np.arange(9.0)) for name in "ab"}
    assert '<div class="grid">' in render_report(replace(REPORT, outputs=outputs))


def test_a_long_list_of_files_is_folded_then_cut() -> None:
    """The manifest has them all."""
    files = tuple(FileLineage(f"{k}.parquet", "e", 1, 1) for k in range(250))
    page = render_report(replace(REPORT, files=files))
    assert "50 more are in the manifest." in page
    assert "<details open" not in page
    assert "<details open" in render_report(REPORT)
