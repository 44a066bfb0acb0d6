"""Run a case on the servers of this command."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.catalog import Case, Knobs
from benchmarks.measuring import Run, run_case
from benchmarks.servers import Platform
from benchmarks.workloads.workload import Workload
from cli.stack.triton import LocalTriton

_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Runner:
    """What every run of a case needs, whatever it scores."""

    workload: Workload
    """What is scored."""
    triton: LocalTriton
    """A running server that serves its model."""
    platform: Platform
    """Prefect and the registry that holds the model."""
    peers_python: Path
    """The interpreter of the peers' environment."""
    logs: Path
    """Folder for what the cases write; each case's last run is kept."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Variables for the case, beside those that name the servers."""
    wrapper: tuple[str, ...] = ()
    """A program that runs the case, to look into it."""

    def run(self, case: Case, dataset: str, output: str, *, knobs: Knobs) -> Run:
        """Score the dataset once; raises `CaseFailed`."""
        python = self.peers_python if case.in_peers_environment else Path(sys.executable)
        task = self.workload.task(
            dataset,
            output,
            http_url=self.triton.http_url,
            grpc_url=self.triton.grpc_url,
            knobs=knobs,
        )
        return run_case(
            case.title,
            [*self.wrapper, str(python), "-m", case.module, task.to_json()],
            environment={
                **self.platform.environment,
                "NIGHTSHIFT_TRITON_URLS": self.triton.grpc_url,
                "PYTHONPATH": str(_ROOT),
                **self.settings,
            },
            server_pid=self.triton.pid,
            log=self.logs / f"{case.name}.log",
        )
