"""Real servers with one small workload."""

import os
from pathlib import Path

import pytest

from benchmarks.datasets import prepare
from benchmarks.experiment import Experiment
from benchmarks.running import Runner
from benchmarks.servers import Platform, register
from benchmarks.workloads.catalog import workloads
from benchmarks.workloads.features import served
from cli.settings import LocalSettings
from cli.stack.prefect_server import LocalPrefect
from tests.conftest import TritonFactory

PEERS_PYTHON = LocalSettings().data_dir.absolute() / "bench-env" / "bin" / "python"
"""The interpreter of the peers' environment, which only `make bench` builds."""
_ROWS = 2_000


@pytest.fixture
def experiment(
    tmp_path: Path, triton_factory: TritonFactory, prefect_api: LocalPrefect
) -> tuple[Experiment, list[str]]:
    """*wide* with few rows, and what is said of it."""
    workload = workloads(tmp_path)["wide"]
    model = served("wide")
    triton = triton_factory(model.repository, models=["wide"])
    registry = f"sqlite:///{tmp_path / 'registry.db'}"
    platform = Platform(
        registry,
        {
            **os.environ,
            **prefect_api.client_environment(),
            "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
            "NIGHTSHIFT_DATABASE_URL": registry,
        },
    )
    register(workload, model, platform, triton)
    said: list[str] = []
    dataset = prepare(workload, tmp_path, rows=_ROWS)
    runner = Runner(workload, triton, platform, PEERS_PYTHON, tmp_path / "logs")
    return Experiment(runner, dataset, _ROWS, say=said.append), said
