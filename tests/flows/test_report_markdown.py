"""The job report on its run's page in Prefect."""

from dataclasses import replace

import numpy as np
import pytest

from flows.profile import BytesProfile, NumberProfile, Profile
from flows.report_data import ExampleRow, FileLineage, JobReport, QuarantineReason
from flows.report_markdown import render_markdown
from tests.flows.test_report import REPORT

PAGE = f"""\
# flights@3 scored 990 of 1,000 rows

Published 23 November 2026, 02:14:09 UTC (asked for as flights@champion).

> all is well

|  |  |
| --- | --- |
| Scored | 990 rows, 99.0 % |
| Quarantined | 10 rows, 1.0 % |
| Shards | 3 scored, 2 found committed |
| Rate | 300 rows/s |
| Time | 14.0 s, 2.0 s of it scoring |
| Bounded by | {REPORT.bound} |

## Where the time went

| stage | busy | of |  |
| --- | ---: | ---: | --- |
| read | 12 % | 2 | ██ |
| queue | 6 % | 8 | █ |
| compute | 75 % | 1 | ███████████████ |

## What came out

| output | values | min | median | mean | max | distribution |
| --- | ---: | ---: | ---: | ---: | ---: | --- |
| delay | 990 | 0 | ≈ 70.62 | 70.64 | 141.3 | █████████████████▆ |

## What could not be scored

| reason | rows | share | stage |
| --- | ---: | ---: | --- |
| null in dep\\_delay | 7 | 70.0 % | encode |
| value outside INT8 in hour | 2 | 20.0 % | encode |

1 more rows for other reasons.

| example of | file | row | detail | values |
| --- | --- | ---: | --- | --- |
| null in dep\\_delay | month=1/a.parquet | 837 |  | dep\\_delay = null, hour = {"6" * 99} |
| value outside INT8 in hour | month=1/a.parquet | 9 | 300 | hour = 300 |
| value outside INT8 in hour | month=1/a.parquet | 10 | 301 | hour = 301 |

## Where it comes from

|  |  |
| --- | --- |
| Input | s3://lake/flights/ |
| Output | s3://lake/scores/ · 2.0 KiB in parts |
| Model | flights@3 · sha256:abc |
| Fed to features | dep\\_delay, hour |
| Fingerprint | {"f" * 64} |
| Started | 23 November 2026, 02:13:55 UTC |
| Versions | nightshift 0.1.0 · triton 2.51.0 |

| input file | rows | size | etag |
| --- | ---: | ---: | --- |
| month=1/a.parquet | 1,000 | 4.0 KiB | "e1" |
"""


def read(report: JobReport) -> str:
    """A report's Markdown, with spaces of one kind."""
    return render_markdown(report).replace("\N{NO-BREAK SPACE}", " ")


def test_it_tells_what_the_page_beside_the_manifest_tells() -> None:
    """Counts, rate, time by stage, outputs, the quarantine with examples, lineage."""
    assert read(replace(REPORT, notes=("all is well",))) == PAGE


@pytest.mark.parametrize(
    ("profile", "row"),
    [
        (
            NumberProfile.of(np.array([0] * 16 + [1] * 8 + [2] + [4] * 2)),
            "27 | 0 | 0 | 0.6667 | 4 | █▅▁·▂",
        ),
        (NumberProfile.of(np.full(4, 3.25)), "4 | 3.25 | ≈ 3.25 | 3.25 | 3.25 | "),
        (NumberProfile.of(np.array([1.0, np.nan, np.inf])), "3 | 1 | ≈ 1 | 1 | 1 | 1 NaN, 1 inf"),
        (NumberProfile.of(np.array([np.nan])), "1 | – | – | – | – | 1 NaN"),
        (NumberProfile(), "0 | – | – | – | – | "),
        (
            BytesProfile.of([b"la|te"] * 3 + [b""]),
            "4 | 0 B | 5 B | 3.75 B | 5 B | la\\|te 75.0 %, (empty) 25.0 %",
        ),
        (BytesProfile.of([b"often"] * 9 + [b"%d" % k for k in range(99)]), "| often ≥ 7.4 %"),
        (BytesProfile(), "0 | – B | – B | – B | – B | "),
    ],
)
def test_each_kind_of_output_has_a_row(profile: Profile, row: str) -> None:
    """Numbers with a histogram, what is not finite counted; texts by length and frequency."""
    assert row in read(replace(REPORT, outputs={"y": profile}))


def test_a_run_that_scored_nothing_has_no_sections_of_it() -> None:
    """What there is nothing of is left out, and nothing is divided by zero."""
    nothing = replace(
        REPORT,
        rows_in=0,
        rows_ok=0,
        rows_quarantined=0,
        rows_this_run=0,
        scoring_s=0.0,
        stages=(),
        bound=None,
        outputs={},
        reasons=(),
        files=(),
    )
    words = read(nothing)
    assert [line for line in words.splitlines() if line.startswith("##")] == [
        "## Where it comes from"
    ]
    assert "| Rate | nothing was left to score |" in words
    assert "Bounded by" not in words
    assert "input file" not in words


def test_long_lists_are_cut() -> None:
    """The manifest has them all."""
    files = tuple(FileLineage(f"{k}.parquet", "e", 1, 1) for k in range(250))
    outputs = {f"y{k}": NumberProfile() for k in range(60)}
    words = read(replace(REPORT, files=files, outputs=outputs))
    assert "200 more files are in the manifest." in words
    assert "10 more outputs are in the manifest." in words
    assert (words.count(".parquet | 1 |"), words.count("| y")) == (50, 50)


def made_of(text: str) -> JobReport:
    """A report whose every text is this one."""
    return replace(
        REPORT,
        job=text,
        model=text,
        model_digest=text,
        input_uri=text,
        output_uri=text,
        columns={text: (text,)},
        outputs={text: BytesProfile.of([text])},
        reasons=(QuarantineReason(text, text, 10, (ExampleRow(text, 1, text, {text: text}),)),),
        files=(FileLineage(text, text, 1, 1),),
        fingerprint=text,
        versions={text: text},
        notes=(text,),
    )


def test_nothing_from_the_job_is_taken_for_markup() -> None:
    """A cell ends where its text does, whatever that holds."""
    evil = "<b>|\n`*_[x](y)\\"
    shown = r"\<b\>\| \`\*\_\[x\](y)\\"
    told, plain = read(made_of(evil)), "x" * len(evil)
    assert told.count(shown) == 22
    assert told.replace(shown, plain) == read(made_of(plain))
