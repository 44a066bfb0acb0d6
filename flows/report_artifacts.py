"""Show a job's report on its run's page in Prefect."""

from contextlib import suppress

import httpx
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.exceptions import PrefectException

from flows.report_data import JobReport


async def show_report(report: JobReport) -> None:
    """Attach the report's figures to the run.

    Fails open: the output is published, and its own report lies beside it.
    """
    with suppress(httpx.HTTPError, PrefectException):
        await acreate_markdown_artifact(_summary(report), description="Job report")
        if report.reasons:
            await acreate_table_artifact(
                [
                    {
                        "reason": reason.reason,
                        "rows": reason.rows,
                        "stage": reason.stage,
                        "example": f"{example.file} row {example.row}" if example else "",
                    }
                    for reason in report.reasons
                    for example in (reason.examples[0] if reason.examples else None,)
                ],
                description="Quarantined rows by reason",
            )


def _summary(report: JobReport) -> str:
    rate = f"{report.rate:,.0f} rows/s" if report.rate else "nothing was left to score"
    lines = [
        f"# {report.model} scored {report.rows_ok:,} of {report.rows_in:,} rows",
        "",
        "| | |",
        "|---|---|",
        f"| Input | `{report.input_uri}` |",
        f"| Output | `{report.output_uri}` |",
        f"| Quarantined | {report.rows_quarantined:,} rows |",
        f"| Shards | {report.shards_scored} scored, {report.shards_adopted} found committed |",
        f"| Rate | {rate} |",
        *([f"| Bounded by | {report.bound} |"] if report.bound else []),
        f"| Fingerprint | `{report.fingerprint}` |",
        *(f"| Note | {note} |" for note in report.notes),
    ]
    return "\n".join(lines)
