"""Start real Prefect workers as processes, and submit jobs to them."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort

from cli.stack.prefect_server import LocalPrefect
from cli.stack.process import GuardedProcess
from inference.jobs import BatchJob
from tests.conftest import ROOT

POOL = "nightshift"
JOBS, SLICES = "batch-inference/batch-inference", "score-slice/score-slice"


def prefect_program() -> str:
    """Where the command is."""
    return str(Path(sys.executable).with_name("prefect"))


@contextmanager
def worker(
    prefect: LocalPrefect,
    folder: Path,
    log: Path,
    *options: str,
    settings: Mapping[str, str] | None = None,
) -> Iterator[GuardedProcess]:
    """Run a worker of the pool in `folder`, with options of `prefect worker start`.

    Its runs have these `NIGHTSHIFT_…` settings, and those that a run was submitted with.
    """
    environment = {
        # A setting for the tests' own process is none of the worker's.
        **{name: value for name, value in os.environ.items() if not name.startswith("NIGHTSHIFT")},
        **prefect.client_environment(),
        "PYTHONPATH": str(ROOT),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        **(settings or {}),
    }
    process = GuardedProcess(
        log.stem,
        [prefect_program(), "worker", "start", "--pool", POOL, *options],
        log=log,
        env=environment,
        grace_s=10.0,
    )
    with contextlib.chdir(folder):
        process.start()
    try:
        yield process
    finally:
        process.stop()


def settings_here() -> dict[str, str]:
    """Return the `NIGHTSHIFT_…` settings of this process."""
    return {name: value for name, value in os.environ.items() if name.startswith("NIGHTSHIFT")}


def submit(job: BatchJob, **settings: object) -> FlowRun:
    """Have the job scored by whichever worker takes it, with `NIGHTSHIFT_…` settings of its own."""
    variables = settings_here()
    variables |= {f"NIGHTSHIFT_{name.upper()}": str(value) for name, value in settings.items()}
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(JOBS)
        return client.create_flow_run_from_deployment(
            deployment.id,
            parameters={"job": job.model_dump(mode="json")},
            job_variables={"env": variables},
        )


def slice_runs(fingerprint: str) -> Sequence[FlowRun]:
    """Return the runs of a job's slices, in the order in which they were sent."""
    tags = FlowRunFilterTags(all_=[f"job:{fingerprint[:12]}"])
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(
            flow_run_filter=FlowRunFilter(tags=tags), sort=FlowRunSort.EXPECTED_START_TIME_ASC
        )


def awaited(
    run: FlowRun, *, within_s: float, meanwhile: Callable[[], object] = lambda: None
) -> FlowRun:
    """Wait until the run has ended; calls `meanwhile` four times a second."""
    end = time.monotonic() + within_s
    with get_client(sync_client=True) as client:
        while True:
            now = client.read_flow_run(run.id)
            if now.state is not None and now.state.is_final():
                return now
            assert time.monotonic() < end, f"{now.name} is {now.state} after {within_s} s"
            meanwhile()
            time.sleep(0.25)
