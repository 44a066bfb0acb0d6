"""Run a job in this process, for callers who stop Prefect's server afterwards."""

import asyncio

import httpx
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogHandler
from prefect.settings import get_current_settings

from flows.batch_inference import batch_inference
from flows.errors import PrefectAway
from flows.report_data import JobReport
from inference.jobs import BatchJob

_UNREACHED = "Failed to reach API"
"""What Prefect's engine says before the first of its requests was answered."""
_DRAIN_S = 10.0
"""Longest wait for Prefect's server to take the last events, which takes milliseconds."""


def run_here(job: BatchJob) -> JobReport:
    """Score the dataset; return when Prefect's server has been told all of it.

    Prefect sends logs and events in the background, and would look for its server at exit. Raises
    as the flow does, and `PrefectAway`.
    """
    try:
        return asyncio.run(_run(job))
    except httpx.TransportError as error:
        url = get_current_settings().api.url or "its address"
        raise PrefectAway(url, str(error) or type(error).__name__) from error
    except RuntimeError as error:
        if not str(error).startswith(_UNREACHED):
            raise
        url = get_current_settings().api.url or "its address"
        raise PrefectAway(url, "it was never reached") from error


async def _run(job: BatchJob) -> JobReport:
    try:
        return await batch_inference(job)
    finally:
        await APILogHandler.aflush()
        # In a thread, where it waits instead of returning something to wait for.
        await asyncio.to_thread(EventsWorker.drain_all, _DRAIN_S)
