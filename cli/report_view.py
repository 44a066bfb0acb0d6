"""Show a finished job's figures on a terminal."""

from rich.console import Console
from rich.table import Table

from flows.report_data import JobReport
from flows.reporting import REPORT_KEY


def show(report: JobReport, console: Console) -> None:
    """Print what happened, how fast, why rows were left out, where to look."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _lines(report):
        table.add_row(name, value)
    console.print(table)


def _lines(report: JobReport) -> list[tuple[str, str]]:
    lines = [
        ("model", f"{report.model} ({report.job})"),
        ("rows", f"{report.rows_in:,} in, {report.rows_ok:,} scored"),
        ("quarantined", f"{report.rows_quarantined:,}"),
        *(("", f"{reason.rows:,} × {reason.reason}") for reason in report.reasons[:5]),
        ("shards", _shards(report)),
    ]
    if report.rate:
        lines.append(("rate", f"{report.rate:,.0f} rows/s in {report.scoring_s:.1f} s of scoring"))
        busy = ", ".join(f"{stage.name} {stage.busy_s:.1f} s" for stage in report.stages)
        lines.append(("busy", busy))
    return [
        *lines,
        ("scores", report.output_uri),
        ("report", f"{report.output_uri}/{REPORT_KEY}"),
        *(("note", note) for note in report.notes),
    ]


def _shards(report: JobReport) -> str:
    if not report.shards_scored:
        return f"{report.shards_adopted:,} found committed and verified: nothing was left to score"
    found = f", {report.shards_adopted:,} found committed" if report.shards_adopted else ""
    return f"{report.shards_scored:,} scored{found}"
