"""Run a job in this process, with its servers, its progress and its report on the terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from datetime import UTC, datetime

from rich.console import Console

from cli import report_view
from cli.catalog import opened_catalog
from cli.interrupts import finishing, telling
from cli.progress import shown
from cli.servers import check_here, missing_servers, servers
from cli.settings import LocalSettings
from flows.planning import JobPlan, plan_ahead
from flows.progress import Snapshot, observed_by
from flows.published import tell_published
from flows.report_data import JobReport
from flows.shards.claim import withdraw_claim
from flows.shards.errors import OutputOccupied, StoreError
from flows.shards.settings import S3Settings, ShardSettings
from inference.jobs import BatchJob
from registry.domain import ModelRef, ModelVersion

_MOST_FILES_AHEAD = 1000
"""Files whose footers are read before there are servers: a second at most."""


def score_with_servers(job: BatchJob, local: LocalSettings) -> JobReport:
    """Score the dataset, with local servers where none are configured; raises the job's error.

    What can be known without a server is checked before one is started, which takes seconds; a
    job that is published already needs none. Once the scores are being published, Ctrl-C does not
    keep the result from being told.
    """
    console = Console()
    model = _resolved(job)
    files, now = ShardSettings(), datetime.now(UTC)
    plan = plan_ahead(
        job, model, files=files, s3=S3Settings(), now=now, most_files=_MOST_FILES_AHEAD
    )
    if plan is not None:
        told = tell_published(job, model, plan, now=now, threads=files.footer_threads)
        if told is not None:
            report_view.show(told, console, elapsed_s=0.0)
            return told
    report: JobReport | None = None
    try:
        with _given_up(plan), finishing() as begin:
            check_here(model, local)
            with started(console, local, models=[model.served_name]):
                pinned = _pinned(job, model)
                report, elapsed_s = _run_planned(pinned, plan, console, at_publication=begin)
                report_view.show(report, console, elapsed_s=elapsed_s)
    except KeyboardInterrupt:
        if report is None:
            raise
    return report


def _pinned(job: BatchJob, model: ModelVersion) -> BatchJob:
    """Name the version where the alias has moved since: the servers were started for this one."""
    return job if _resolved(job) == model else job.model_copy(update={"model": str(model)})


def _run_planned(
    job: BatchJob, plan: JobPlan | None, console: Console, *, at_publication: Callable[[], None]
) -> tuple[JobReport, float]:
    """Run the job; where its dataset has changed since it was planned, without that plan's claim.

    The claim would stand in the job's own way.
    """
    try:
        return run_job(job, console, at_publication=at_publication)
    except OutputOccupied:
        if plan is None or not withdraw_claim(plan.output, plan.fingerprint):
            raise
    return run_job(job, console, at_publication=at_publication)


@contextmanager
def _given_up(plan: JobPlan | None) -> Iterator[None]:
    """Give the planned output up when the block fails before anything was committed there."""
    try:
        yield
    except BaseException:
        if plan is not None:
            with suppress(StoreError):  # the person is told what came first
                withdraw_claim(plan.output, plan.fingerprint)
        raise


@contextmanager
def started(
    console: Console, local: LocalSettings, *, models: list[str]
) -> Iterator[tuple[str, ...]]:
    """Start the servers that are not configured, saying so; gives Triton's addresses."""
    missing = missing_servers()
    words = f"starting {' and '.join(missing)}"
    with ExitStack() as stack:
        with telling(), console.status(words) if missing else nullcontext():
            if missing and not console.is_terminal:
                console.print(words)
            urls = stack.enter_context(servers(local, models=models))
        yield urls


def run_job(
    job: BatchJob, console: Console, *, at_publication: Callable[[], None] = lambda: None
) -> tuple[JobReport, float]:
    """Score the dataset in this process, showing how far it is; the environment names the servers.

    `at_publication` is called when all is scored and is about to be published. Gives the report,
    for `report_view.show`, with the seconds that the whole flow run took: what Prefect does before
    and after scoring counts.
    """
    # Imports Prefect, which reads the environment then.
    from flows.launch import run_here

    began = time.monotonic()
    with shown(console) as show, ExitStack() as stack:
        running = False

        def observe(snapshot: Snapshot) -> None:
            nonlocal running
            if not running:  # the flow's event loop has its own handler of Ctrl-C by now
                running = True
                stack.enter_context(telling())
            if snapshot.phase == "publish":
                at_publication()
            show(snapshot)

        with observed_by(observe):
            report = run_here(job)
    return report, time.monotonic() - began


def _resolved(job: BatchJob) -> ModelVersion:
    with opened_catalog(existing=True) as catalog:
        return catalog.resolve(ModelRef.parse(job.model))
