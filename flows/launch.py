"""Run a job in this process, for callers who stop Prefect's server afterwards."""

import asyncio

from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogHandler

from flows.batch_inference import batch_inference
from flows.report_data import JobReport
from inference.jobs import BatchJob


def run_here(job: BatchJob) -> JobReport:
    """Score the dataset; return when Prefect's server has been told all of it.

    Prefect sends logs and events in the background, and would look for its server at exit.
    """
    return asyncio.run(_run(job))


async def _run(job: BatchJob) -> JobReport:
    try:
        return await batch_inference(job)
    finally:
        await APILogHandler.aflush()
        draining = EventsWorker.drain_all(timeout=10)
        if draining is not None:
            await draining
