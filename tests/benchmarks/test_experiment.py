"""Cases are run in alternation on real servers."""

import os
from pathlib import Path

import pytest

from benchmarks.catalog import OURS, Case, cases
from benchmarks.checking import WrongScores
from benchmarks.datasets import prepare
from benchmarks.experiment import Experiment
from benchmarks.running import Runner
from benchmarks.servers import Platform, register
from benchmarks.workloads.catalog import workloads
from benchmarks.workloads.features import served
from cli.stack.prefect_server import LocalPrefect
from tests.conftest import TritonFactory

pytestmark = [pytest.mark.triton, pytest.mark.prefect, pytest.mark.slow]

ROWS = 2_000
WRONG = Case("wrong", "random scores", "benchmarks.cases.write_ceiling", "peer", False)


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
    dataset = prepare(workload, tmp_path, rows=ROWS)
    # The peers' environment is not built for tests: none of its cases is run.
    runner = Runner(workload, triton, platform, tmp_path / "none", tmp_path / "logs")
    return Experiment(runner, dataset, ROWS, say=said.append), said


def test_right_scores_are_measured_and_wrong_ones_end_it(
    experiment: tuple[Experiment, list[str]],
) -> None:
    """Ours has figures; a case that writes other scores is told."""
    under_test, said = experiment
    case = cases()[OURS]
    outcome = under_test.compare([case], {case: {}}, 1)
    ((ours,),) = outcome.runs.values()
    assert ours.seconds > 0
    assert ours.cpu_s > 0
    assert ours.server_cpu_s >= 0
    assert set(ours.notes["stages"]) > {"read", "write"}
    assert [line.split("  ")[1] for line in said] == ["not counted", "repeat 1/1"]
    with pytest.raises(WrongScores, match=r"random scores: .* scores in 00.parquet are not"):
        under_test.run(WRONG, {})
