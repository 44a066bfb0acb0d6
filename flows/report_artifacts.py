"""Show a job's report on its run's page in Prefect."""

from contextlib import suppress

import httpx
from prefect.artifacts import acreate_markdown_artifact
from prefect.exceptions import PrefectException

from flows.report_data import JobReport
from flows.report_markdown import render_markdown


async def show_report(report: JobReport) -> None:
    """Attach the report to the run.

    Fails open: the output is published, and its own report lies beside it.
    """
    with suppress(httpx.HTTPError, PrefectException):
        await acreate_markdown_artifact(render_markdown(report), description="Job report")
