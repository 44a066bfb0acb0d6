"""Deploy as a person does, run what was deployed on real workers."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate

from cli.stack.prefect_server import LocalPrefect
from tests.conftest import ROOT
from tests.deployments.workers import POOL, prefect_program, worker
from tests.flows.workplace import prefect_leftovers as prefect_leftovers
from tests.flows.workplace import workplace as workplace

PrefectCommand = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def prefect_command(prefect_api: LocalPrefect) -> PrefectCommand:
    """Call with the words after `prefect`; the working folder is the clone."""
    environment = {**os.environ, **prefect_api.client_environment(), "COLUMNS": "200"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [prefect_program(), *words], cwd=ROOT, env=environment, capture_output=True, text=True
        )

    return run


@pytest.fixture(scope="session")
def deployed(prefect_api: LocalPrefect, prefect_command: PrefectCommand) -> str:
    """Deploy `prefect.yaml` as it is; return the deployment's name."""
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"), overwrite=True)
    done = prefect_command("--no-prompt", "deploy", "--all")
    assert done.returncode == 0, done.stdout + done.stderr
    return "batch-inference/batch-inference"


@pytest.fixture(scope="module")
def worker_folder(
    deployed: str,
    prefect_api: LocalPrefect,
    servers_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Path]:
    """The folder of a real process worker, which is started in it."""
    folder = tmp_path_factory.mktemp("worker")
    with worker(prefect_api, folder, servers_dir / "worker.log"):
        yield folder
