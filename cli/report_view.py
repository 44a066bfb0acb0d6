"""Show a finished job's figures on a terminal."""

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape

from flows.report_data import JobReport
from flows.reporting import REPORT_KEY

_REASONS = 5


def show(report: JobReport, console: Console, *, elapsed_s: float) -> None:
    """Print what happened, how fast, why rows were left out, where to look.

    `elapsed_s` is what the whole run took, scoring included.
    """
    said = f"{report.model} scored {report.rows_ok:,} of {report.rows_in:,} rows"
    console.print(f"\n[bold]{escape(said)}[/bold]", highlight=False, soft_wrap=True)
    for name, value in _lines(report, elapsed_s):
        line = f"  [bold]{name:12}[/bold] {escape(value)}"
        console.print(line, highlight=False, soft_wrap=True)


def _lines(report: JobReport, elapsed_s: float) -> Iterator[tuple[str, str]]:
    yield "quarantined", _quarantined(report)
    for reason in report.reasons[:_REASONS]:
        yield "", f"{reason.rows:,} × {reason.reason}"
    if report.rows_in:
        yield "shards", _shards(report)
    if report.rate:
        yield "rate", f"{report.rate:,.0f} rows/s"
        rest_s = elapsed_s - report.scoring_s
        yield "time", f"{report.scoring_s:.1f} s scoring, {rest_s:.1f} s around it"
        yield "busy", _busy(report)
        if report.bound:
            yield "bounded by", str(report.bound)
    yield "scores", report.output_uri
    yield "report", f"{report.output_uri}/{REPORT_KEY}"
    for note in report.notes:
        yield "note", note


def _quarantined(report: JobReport) -> str:
    if not report.rows_quarantined:
        return "no row"
    return f"{report.rows_quarantined:,} rows ({report.rows_quarantined / report.rows_in:.2%})"


def _busy(report: JobReport) -> str:
    shares = [(stage.name, 100 * stage.share(report.scoring_s)) for stage in report.stages]
    return ", ".join(f"{name} {share:.0f} %" for name, share in shares) + " of the time"


def _shards(report: JobReport) -> str:
    if not report.shards_scored:
        return f"{report.shards_adopted:,} found committed and verified, nothing left to score"
    found = f", {report.shards_adopted:,} found committed" if report.shards_adopted else ""
    return f"{report.shards_scored:,} scored{found}"
