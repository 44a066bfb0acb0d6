"""Deploy as a person does, run what was deployed on a real worker."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate

from cli.stack.prefect_server import LocalPrefect
from cli.stack.process import GuardedProcess
from tests.conftest import ROOT

POOL = "nightshift"
PrefectCommand = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def prefect_command(prefect_api: LocalPrefect) -> PrefectCommand:
    """Call with the words after `prefect`; the working folder is the clone."""
    environment = {**os.environ, **prefect_api.client_environment(), "COLUMNS": "200"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [_prefect(), *words], cwd=ROOT, env=environment, capture_output=True, text=True
        )

    return run


@pytest.fixture(scope="session")
def worker_folder(
    prefect_api: LocalPrefect, servers_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The folder of a real process worker, which is started in it; its pool is new."""
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
    folder = tmp_path_factory.mktemp("worker")
    environment = {
        # A setting for the tests' own process is none of the worker's.
        **{name: value for name, value in os.environ.items() if not name.startswith("NIGHTSHIFT")},
        **prefect_api.client_environment(),
        "PYTHONPATH": str(ROOT),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }
    worker = GuardedProcess(
        "worker",
        [_prefect(), "worker", "start", "--pool", POOL],
        log=servers_dir / "worker.log",
        env=environment,
        grace_s=10.0,
    )
    with contextlib.chdir(folder):
        worker.start()
    try:
        yield folder
    finally:
        worker.stop()


@pytest.fixture(scope="session")
def deployed(worker_folder: Path, prefect_command: PrefectCommand) -> str:
    """Deploy `prefect.yaml` as it is; return the deployment's name."""
    done = prefect_command("--no-prompt", "deploy", "--all")
    assert done.returncode == 0, done.stdout + done.stderr
    return "batch-inference/batch-inference"


def _prefect() -> str:
    return str(Path(sys.executable).with_name("prefect"))
