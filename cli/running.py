"""Run a job in this process, with its servers, its progress and its report on the terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from cli import report_view
from cli.catalog import opened_catalog
from cli.interrupts import finishing
from cli.progress import shown
from cli.servers import servers
from cli.settings import LocalSettings
from flows.planning import check_job
from flows.progress import Snapshot, observed_by
from flows.report_data import JobReport
from flows.shards.settings import S3Settings, ShardSettings
from inference.jobs import BatchJob
from registry.domain import ModelRef, ModelVersion


def score_with_servers(job: BatchJob, local: LocalSettings) -> JobReport:
    """Score the dataset, with local servers where none are configured; raises the job's error.

    What can be known without a server is checked before one is started, which takes seconds. Once
    the scores are being published, Ctrl-C does not keep the result from being told.
    """
    console = Console()
    model = _resolved(job)
    check_job(job, model, files=ShardSettings(), s3=S3Settings())
    report: JobReport | None = None
    try:
        with finishing() as begin, started(console, local, models=[model.served_name]):
            report = run_job(job, console, at_publication=begin)
    except KeyboardInterrupt:
        if report is None:
            raise
    return report


@contextmanager
def started(
    console: Console, local: LocalSettings, *, models: list[str]
) -> Iterator[tuple[str, ...]]:
    """Start the servers that are not configured, saying so; gives Triton's addresses."""
    with console.status("starting servers") as status, servers(local, models=models) as urls:
        status.stop()
        yield urls


def run_job(
    job: BatchJob, console: Console, *, at_publication: Callable[[], None] = lambda: None
) -> JobReport:
    """Score the dataset in this process and show what happened; the environment names the servers.

    `at_publication` is called when all is scored and is about to be published. The time shown is
    that of the whole flow run, with what Prefect does before and after it.
    """
    # Imports Prefect, which reads the environment then.
    from flows.launch import run_here

    began = time.monotonic()
    with shown(console) as show:

        def observe(snapshot: Snapshot) -> None:
            if snapshot.phase == "publish":
                at_publication()
            show(snapshot)

        with observed_by(observe):
            report = run_here(job)
    report_view.show(report, console, elapsed_s=time.monotonic() - began)
    return report


def _resolved(job: BatchJob) -> ModelVersion:
    with opened_catalog() as catalog:
        return catalog.resolve(ModelRef.parse(job.model))
