"""Check what a person reads of a finished job."""

from dataclasses import replace
from io import StringIO

from rich.console import Console

from cli.report_view import show
from flows.report_data import JobReport
from tests.flows.test_report import REPORT


def shown(report: JobReport) -> list[str]:
    """The lines on a terminal that is no terminal, spaces folded."""
    written = StringIO()
    show(report, Console(file=written), elapsed_s=5.0)
    return [" ".join(line.split()) for line in written.getvalue().splitlines()]


def test_a_job_is_told() -> None:
    """What happened, how fast, what kept it from being faster, where to look."""
    assert shown(REPORT) == [
        "",
        "flights@3 scored 990 of 1,000 rows",
        "quarantined 10 rows (1.00%)",
        "7 × null in dep_delay",
        "2 × value outside INT8 in hour",
        "shards 3 scored, 2 found committed",
        "rate 300 rows/s",
        "time 2.0 s scoring, 3.0 s around it",
        "busy read 12 %, queue 6 %, compute 75 % of the time",
        "bounded by compute, busy 75 % of the time; its instances, at this pace and never idle, "
        "would give 400 rows/s, of which 75 % were reached; more instances of the model, or more "
        "servers may help",
        "scores s3://lake/scores/",
        "report s3://lake/scores//_report.html",
    ]


def test_a_job_without_rows_is_told() -> None:
    """Nothing is said of shards that there are not."""
    empty = replace(
        REPORT,
        rows_in=0,
        rows_ok=0,
        rows_quarantined=0,
        rows_this_run=0,
        shards_scored=0,
        shards_adopted=0,
        reasons=(),
        notes=("the store is odd",),
    )
    assert shown(empty) == [
        "",
        "flights@3 scored 0 of 0 rows",
        "quarantined no row",
        "scores s3://lake/scores/",
        "report s3://lake/scores//_report.html",
        "note the store is odd",
    ]
