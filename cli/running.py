"""Run a job in this process, with its servers, its progress and its report on the terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from cli import report_view
from cli.catalog import opened_catalog
from cli.progress import shown
from cli.servers import servers
from cli.settings import LocalSettings
from flows.planning import check_job
from flows.progress import observed_by
from flows.report_data import JobReport
from flows.shards.settings import S3Settings, ShardSettings
from inference.jobs import BatchJob
from registry.domain import ModelRef, ModelVersion


def score_with_servers(job: BatchJob, local: LocalSettings) -> JobReport:
    """Score the dataset, with local servers where none are configured; raises the job's error.

    What can be known without a server is checked before one is started, which takes seconds.
    """
    console = Console()
    model = _resolved(job)
    check_job(job, model, files=ShardSettings(), s3=S3Settings())
    with started(console, local, models=[model.served_name]):
        return run_job(job, console)


@contextmanager
def started(
    console: Console, local: LocalSettings, *, models: list[str]
) -> Iterator[tuple[str, ...]]:
    """Start the servers that are not configured, saying so; gives Triton's addresses."""
    with console.status("starting servers") as status, servers(local, models=models) as urls:
        status.stop()
        yield urls


def run_job(job: BatchJob, console: Console) -> JobReport:
    """Score the dataset in this process and show what happened; the environment names the servers.

    The time shown is that of the whole flow run, with what Prefect does before and after it.
    """
    # Imports Prefect, which reads the environment then.
    from flows.launch import run_here

    began = time.monotonic()
    with shown(console) as observer, observed_by(observer):
        report = run_here(job)
    report_view.show(report, console, elapsed_s=time.monotonic() - began)
    return report


def _resolved(job: BatchJob) -> ModelVersion:
    with opened_catalog() as catalog:
        return catalog.resolve(ModelRef.parse(job.model))
