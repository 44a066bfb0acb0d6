"""Run the API as the process that people run, with jobs that a real Prefect keeps."""

import json
import os
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags

from cli.stack.prefect_server import LocalPrefect
from cli.stack.process import LOOPBACK, READY_DEADLINE_S, GuardedProcess
from inference.tickets import Ticket
from registry.catalog import Catalog
from registry.settings import RegistrySettings
from registry.store import open_store
from tests.api import tokens
from tests.conftest import ROOT
from tests.contracts.test_store import FIRST

Draft = dict[str, Any]

_AT_ONCE = 50
"""Jobs in one question to Prefect, which gives 200 runs in one answer: were there several of each,
some would be seen."""


def draft(name: str) -> Draft:
    """Return a job that writes at a place of its own."""
    return {"model": "flights@1", "input": "s3://lake/in/", "output": f"s3://lake/{name}"}


def register(url: str) -> None:
    """Have flights@1 in an empty registry."""
    store = open_store(RegistrySettings(database_url=url))
    Catalog(store).register(
        "flights",
        signature=FIRST.signature,
        digest=FIRST.digest,
        served_name="flights",
        served_version="1",
        columns=FIRST.columns,
    )
    store.close()


@contextmanager
def serving(
    prefect: LocalPrefect, folder: Path, database_url: str, port: int
) -> Iterator[GuardedProcess]:
    """Run `nightshift serve` for the length of the block."""
    variables = {
        "API_DRAIN_NOTICE_S": "0",
        "DATABASE_URL": database_url,
        "DATA_DIR": str(folder),
        "ENVIRONMENT": "production",
        "JWT_SECRET": tokens.SECRET,
        "QUOTA_ADDRESS": "none",
        "QUOTA_SUBJECT": "none",
        "STORES": json.dumps({"lake": {"prefixes": ["s3://lake/"]}}),
        "TRITON_URLS": f"{LOOPBACK}:9",
    }
    own = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTSHIFT")}
    process = GuardedProcess(
        "the API",
        [sys.executable, "-m", "cli.main", "serve", "--port", str(port)],
        log=folder / "api.log",
        env={
            **own,
            **prefect.client_environment(),
            "PYTHONPATH": str(ROOT),
            **{f"NIGHTSHIFT_{name}": value for name, value in variables.items()},
        },
        grace_s=5,
    )
    with process:
        process.await_ready(lambda: _answers(port), deadline_s=READY_DEADLINE_S)
        yield process


def runs_of(jobs: Collection[str]) -> Counter[str]:
    """Count the runs that Prefect has of each job."""
    of_tag, found = {Ticket(job, 1).tag: job for job in jobs}, Counter[str]()
    tags = sorted(of_tag)
    with get_client(sync_client=True) as client:
        for at in range(0, len(tags), _AT_ONCE):
            some = FlowRunFilterTags(any_=tags[at : at + _AT_ONCE])
            runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(tags=some))
            found.update(of_tag[tag] for run in runs for tag in run.tags if tag in of_tag)
    return found


def forget_runs(jobs: Collection[str]) -> None:
    """Take the jobs' runs out of Prefect, so that no worker of another test finds them."""
    with get_client(sync_client=True) as client:
        for job in jobs:
            tags = FlowRunFilterTags(all_=[Ticket(job, 1).tag])
            for run in client.read_flow_runs(flow_run_filter=FlowRunFilter(tags=tags)):
                client.delete_flow_run(run.id)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://{LOOPBACK}:{port}/health/live", timeout=2).is_success
    except httpx.HTTPError:
        return False
